package manifest

import (
	"net"
	"net/url"
	"strings"
	"time"
)

const (
	// maxTrial bounds one try, and maxTrials how many there are, so that what was observed before is still worth acting on.
	maxTrial  = 2 * time.Minute
	maxTrials = 20
)

// Trial is one of a credential's checks: what must work with a new value once everything was told it.
type Trial struct {
	Name    string        `yaml:"-"`
	HTTP    *HTTPTrial    `yaml:"http" one:"kind of check" doc:"A request that must be answered with a status."`
	Command *CommandTrial `yaml:"command" one:"kind of check" doc:"A program that must end with exit code 0."`
	Timeout time.Duration `yaml:"timeout" default:"1m" doc:"How long one try may take: 1m or 2m."`
}

// HTTPTrial is a request.
type HTTPTrial struct {
	URL    string `yaml:"url,required" doc:"The address: https, or http on this machine. It must hold nothing secret, for it is shown."`
	Method string `yaml:"method" enum:"GET,HEAD,POST" default:"GET" doc:"The method. A POST has no body."`
	Status int    `yaml:"status" default:"200" doc:"The status that says that it works. Redirects are not followed."`
	Header string `yaml:"header" pattern:"^[A-Za-z0-9-]{1,100}$" says:"must be the name of a header" doc:"The header that carries the value; without one the value is not sent."`
	Value  string `yaml:"value" default:"Bearer {value}" doc:"What the header says: {value} stands for the value, {basic} for HTTP Basic's form of it as a password without a user name."`
}

// CommandTrial is a program.
type CommandTrial struct {
	Run Argv `yaml:"run,required" doc:"The program and its arguments, without a shell. It runs in the manifest's folder; the value is on its standard input and nowhere else."`
}

// trials checks a credential's checks. Where aliases made too much, the list is not there.
func (k *checker) trials(s subject, c *Credential) {
	e := s.node.value.get("checks")
	if e == nil || len(c.Checks) == 0 {
		return
	}
	at := &place{up: s.at, key: "checks"}
	if len(c.Checks) > maxTrials {
		k.fail(s, "checks", "%d checks, more than %d", len(c.Checks), maxTrials)
	}
	for i := range c.Checks {
		entry := e.value.real().entries[i]
		here := subject{&place{up: at, key: entry.key.text}, &entry}
		if t := c.Checks[i].Timeout; t > maxTrial || t != 0 && t < time.Minute {
			k.fail(here, "timeout", "%s is not between 1m and %s", FormatDuration(t), FormatDuration(maxTrial))
		}
		if h := c.Checks[i].HTTP; h != nil {
			k.request(here, h)
		}
	}
}

func (k *checker) request(s subject, h *HTTPTrial) {
	if h.URL != "" {
		u, err := url.Parse(h.URL)
		switch {
		case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
			k.fail(s, "http.url", "it must be an address like https://api.contoso.com/health")
		case u.User != nil || strings.Contains(h.URL, "#"):
			k.fail(s, "http.url", "it holds a user name, a password or a fragment: send what is secret in the header")
		case u.Scheme == "http" && !loopback(u.Hostname()):
			k.fail(s, "http.url", "it must be https: over http the value could be read on its way (http is for this machine alone)")
		}
	}
	if h.Status != 0 && (h.Status < 200 || h.Status > 599) {
		k.fail(s, "http.status", "%d is no status of an answer", h.Status)
	}
	if h.Value != "" && !strings.Contains(h.Value, "{value}") && !strings.Contains(h.Value, "{basic}") {
		k.fail(s, "http.value", "it says neither {value} nor {basic}, so the value would not be sent")
	}
	if strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r > '~' }) {
		k.fail(s, "http.value", "it holds a character that no header can")
	}
}

// loopback says whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
