package logicapps_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/azure/logicapps"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/rotation"
	"github.com/rekeyhq/rekey/internal/simtest/badinput"
)

type nobody struct{}

func (nobody) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func over(s *badinput.Service) *azhttp.Resources {
	return azhttp.NewResources(azhttp.NewClient(s, nil).Options(cloud.AzurePublic), nobody{})
}

// quoted is what is told, and what the fuzzed bodies quote; nothing may repeat it.
const quoted = "s3cr3t value"

// words wants an error to be ours, and not to hold the value.
func words(t *testing.T, err error) {
	t.Helper()
	var e *driver.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no driver.Error", err)
	}
	if text := e.Error() + e.Hint; strings.Contains(text, quoted) || len(text) > 1800 || strings.ContainsFunc(text, func(r rune) bool { return r != unicode.ReplacementChar && !unicode.IsPrint(r) }) {
		t.Errorf("the error is not fit to be shown: %q", text)
	}
}

// asked is everything that a consumer can be asked, of a service that answers all of it alike.
func asked(t *testing.T, s *badinput.Service, make func(*azhttp.Resources) driver.Consumer) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		defer stop()
		c := make(over(s))
		if err := c.Preflight(ctx); err != nil {
			words(t, err)
		}
		s.Within(t)
		s.Calls, s.Read = 0, 0
		state, err := c.State(ctx, []rotation.Publication{publication(1)})
		fit(t, state, err)
		s.Within(t)
		s.Calls, s.Read = 0, 0
		state, err = c.Tell(ctx, publication(1), value(quoted))
		fit(t, state, err)
		s.Within(t)
		if err == nil && state.Publication == publication(1) {
			t.Error("what an answer of before says is taken for what was told")
		}
	})
}

func fit(t *testing.T, s rotation.ConsumerState, err error) {
	t.Helper()
	switch {
	case err != nil:
		words(t, err)
	case strings.Contains(s.Why+s.Said, quoted), s.Works == (s.Why != ""), s.Works && s.Publication == "":
		t.Errorf("%+v", s)
	}
	if _, err := s.Told.MarshalJSON(); err != nil {
		t.Errorf("%v: %v", s.Told, err)
	}
}

// FuzzConnection: what is answered to everything that is asked of an API connection.
func FuzzConnection(f *testing.F) {
	at := group() + "/providers/Microsoft.Web/connections/" + flat
	honest := `{"id":"` + at + `","name":"x","location":"westeurope","kind":"V1","tags":{"Rekey":"01m7y2pqh4tqpq43th 2026-11-21T10:00:00Z","team":"t"},"properties":{"displayName":"d","api":{"id":"/subscriptions/x"},"parameterValueSet":{"name":"oauthSP"},` +
		`"statuses":[{"status":"Connected"},null],"nonSecretParameterValues":{"a":"` + quoted + `"},"testLinks":[{"requestUri":"https://management.azure.com:443` + at + `/extensions/proxy/testconnection?api-version=2018-07-01-preview","method":"get"}]},"value":[{"actions":["*"]}]}`
	for _, b := range badinput.Broken(honest) {
		f.Add(b)
	}
	for _, s := range []string{"null", strings.Replace(honest, "https://management.azure.com:443"+at, "https://elsewhere.example/%zz", 1), strings.Replace(honest, `"Connected"`, `"Error","error":{"code":"`+quoted+`"}`, 1), strings.Replace(honest, `"tags":{`, `"tags":[],"x":{`, 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		badinput.Bounded(t, 40*len(body), func() {
			asked(t, &badinput.Service{Body: body}, func(c *azhttp.Resources) driver.Consumer {
				return logicapps.New("c", c, settings(flat), use)
			})
		})
	})
}
