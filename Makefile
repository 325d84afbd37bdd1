# make        builds bin/rekey
# make demo   builds it and shows the life of a token against the simulated Azure
# make test   installs what is missing and runs everything that must hold before a change is taken
# make cross  builds what a release has, for each platform
# make fuzz   fuzzes every decoder of what comes from outside, each for FUZZTIME
# make prove  explores every world, breaks the product in every known way, and lives a year: hours (docs/safety.md)
# make bench  counts calls, CPU and memory against the budgets, and fails when one is over

GO     ?= go
FUZZTIME ?= 30s
GOTOOL  = $(GO) tool -modfile=.ci/tools.mod

# Without git, or outside a clone, the version is "dev". The build itself asks git nothing (-buildvcs=false), so that
# it is the same in a clone, in an archive and in a container that owns neither.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false
LDFLAGS  = -s -w -X main.version=$(VERSION)

# What checks look at is compiled as the release is, so that one compilation serves both.
CHECK = CGO_ENABLED=0 GOFLAGS='$(GOFLAGS) -trimpath'

PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.DEFAULT_GOAL := build
.PHONY: build demo test prove bench fuzz fmt vet staticcheck cross race whole rules clean FORCE

build: bin/rekey

# Always asked for: go build knows better than make what has changed.
bin/rekey: FORCE
	$(BUILD) -ldflags '$(LDFLAGS)' -o $@ ./cmd/rekey

demo: bin/rekey
	bin/rekey demo

# The quick checks come first. The tests come last, so that their lines are the last to be printed: hence one at a time.
.NOTPARALLEL:
test: fmt vet staticcheck race whole

fmt:
	@out=$$("$$($(GO) env GOROOT)/bin/gofmt" -l $$(find . -name '*.go' -not -path './.git/*')); \
	if [ -n "$$out" ]; then echo "not in gofmt's form:"; echo "$$out"; exit 1; fi

vet:
	$(CHECK) $(GO) vet ./...

staticcheck:
	$(CHECK) $(GOTOOL) staticcheck ./...

# All that a release has. `make test` checks the types for each of these platforms, and compiles for the one it runs on.
cross:
	@set -e; for p in $(PLATFORMS); do \
		echo "build for $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -ldflags '$(LDFLAGS)' -o bin/$${p%/*}-$${p#*/}/ ./...; \
	done

# Everything runs whole, and all of it but WHOLE under the race detector. WHOLE would take half an hour there: of what it
# has, that is for what runs at the same time as something else (two runs, a command and its signals, a person at the
# terminal), and for two replicas of a small fleet. The manifest, decisions, mutants and rules start nothing beside them.
# Vet has seen all of it by then; go test would have it look at every library again for the race detector.
#
# The longest come first, so that no core waits for the last one. The heap may grow to five times what is alive: else the
# collector takes a third of the time of an exploration.
WHOLE   := ./internal/cli ./internal/simtest/year ./internal/simtest/mutant ./internal/simtest/explore ./internal/simtest/scenario \
	./internal/ledger ./internal/manifest ./internal/rotation .
BESIDE  := ./internal/cli ./internal/simtest/scenario ./internal/simtest/explore ./internal/ledger
AT_ONCE := Two|AtOnce|Overtake|Slept|Suspended|Interrupt|SignsIn|TestScripts/(jit|init_ask|events|terminal)$$
race: export GOGC = 400
race:
	@.ci/compiler
	CGO_ENABLED=1 $(GO) test -vet=off -race $$($(GO) list ./... | grep -vxF "$$($(GO) list $(WHOLE))")
	CGO_ENABLED=1 $(GO) test -vet=off -race -short -run '$(AT_ONCE)' $(BESIDE)
	CGO_ENABLED=1 $(GO) test -vet=off -race -run 'TestAYear$$' ./internal/simtest/year -args -year.credentials 60 -year.days 20

whole: export GOGC = 400
whole:
	$(CHECK) $(GO) test -vet=off $(WHOLE)

# The repository's own rules alone: seconds instead of minutes.
rules:
	$(GO) test -count=1 .

# What was done is kept in .prove until a source changes. ONLY is part of an exploration's name; PARTS are explore, mutant
# and year, or print.
PARTS ?= explore,mutant,year
prove:
	$(GO) run ./internal/simtest/prove -only '$(ONLY)' -parts '$(PARTS)'

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1x ./internal/bench/...

# The targets are found, not typed. One after the other, and each on one core: a bound on memory is a bound on one.
fuzz:
	@set -e; for f in $$(grep -rl --include='*_test.go' '^func Fuzz' cmd internal sim | sort); do \
		for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$f); do \
			echo "$$t in $${f%/*}"; \
			$(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s -parallel 1 ./$${f%/*}; \
		done; \
	done

clean:
	rm -rf bin

FORCE:
