// Package bench holds the budgets as benchmarks: how many calls a credential's life and an idle run cost, and how much
// processor time, memory and waiting the program needs. Each prints a table and fails when it is over its budget.
//
// It is not for comparing two versions of a function, and a budget of time is no test of behaviour: nothing here runs
// with `go test ./...`. What always holds: what is measured is the program itself, built and started as a process, that
// talks over TLS to the simulated Azure; calls are counted from the simulator's request log and not by the program.
package bench
