// Package appservice is an app of Azure App Service or Azure Functions as a consumer: its settings refer to the secret
// in the vault, the platform reads it there as the app's own identity, and keeps what it read for up to 24 hours. It is
// asked to read anew, as Rekey's own identity, through Azure Resource Manager.
//
// It is not for settings that hold a value themselves, nor for connection strings. What always holds: no setting is
// ever read or written, so no value passes through here; a reference that names one version is refused, since nothing
// would move it; the app holds no mark, so package hook keeps one; what App Service says of its references shows what
// is wrong and proves little, because it may not say which version it has read.
//
// Sourced: the refresh, and that 24 hours (Microsoft's page on Key Vault references, api-version 2022-03-01); the list of
// references and its statuses (Microsoft's description of Microsoft.Web); the form of both answers, with activeVersion
// null for a reference without a version (one answer that somebody published). Unverified: the action that a refresh
// takes, whether it is over when it is answered, and whether running processes are restarted by it.
package appservice

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/hook"
	"github.com/rekeyhq/rekey/internal/rotation"
)

const (
	apiVersion = "2022-03-01"
	references = "/config/configreferences/appsettings"

	// waitFor is how long a tell waits until a refresh is over, and pollFrom and pollEvery how often it looks.
	waitFor             = 2 * time.Minute
	pollFrom, pollEvery = time.Second, 10 * time.Second
)

// App is an app, or a slot of one, as a hook.Receiver.
type App struct {
	client   *azhttp.Resources
	settings Settings
	target   rotation.Target

	mu   sync.Mutex
	seen string // by the last preflight, of what App Service could not resolve
}

var (
	_ hook.Watched = (*App)(nil)
	_ driver.Noted = (*App)(nil)
)

// New makes an app whose settings refer to the given secret. Nothing is sent.
func New(client *azhttp.Resources, s Settings, target rotation.Target) *App {
	return &App{client: client, settings: s, target: target}
}

// Place implements hook.Receiver.
func (a *App) Place() string {
	s := "app " + a.settings.App[strings.LastIndexByte(a.settings.App, '/')+1:]
	if a.settings.Slot != "" {
		s += ", slot " + a.settings.Slot
	}
	return s
}

// Key implements hook.Receiver. A refresh is of all settings at once, so which of them count does not matter.
func (a *App) Key() string { return strings.ToLower(a.id()) }

func (a *App) id() string {
	if a.settings.Slot == "" {
		return a.settings.App
	}
	return a.settings.App + "/slots/" + a.settings.Slot
}

// refreshing is the action that a refresh takes: what Resource Manager's rule for names makes of its address, since no
// page has it.
func (a *App) refreshing() string {
	if a.settings.Slot == "" {
		return "Microsoft.Web/sites/config/appsettings/refresh/action"
	}
	return "Microsoft.Web/sites/slots/config/appsettings/refresh/action"
}

const hint = "check the app's resource id and its slot in the manifest, and give Rekey's identity the role Website Contributor on the app"

// Preflight implements hook.Receiver.
func (a *App) Preflight(ctx context.Context) error {
	op := "prepare " + a.Place()
	if err := a.fit(ctx, op); err != nil {
		return err
	}
	return a.client.May(ctx, op, a.id(), hint, a.refreshing())
}

// fit says whether the app's settings refer to the secret, and can be resolved as far as that is seen before there is
// anything new in it.
func (a *App) fit(ctx context.Context, op string) error {
	all, err := a.read(ctx, op)
	if err != nil {
		return err
	}
	if e := a.unfit(all); e != nil {
		e.Op = op
		return e
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = unresolved(all)
	return nil
}

// Notes implements driver.Noted.
func (a *App) Notes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	note := "App Service says whether it could read the secret, and not always which version of it; the overlap is the guard"
	if !a.settings.Refresh {
		note = "App Service is not asked to refresh it, so the app may go on with what it has read for 24 hours"
	}
	if a.seen != "" {
		return []string{a.seen, note}
	}
	return []string{note}
}

// Weak implements hook.Receiver: nobody here sees the app use what it was given.
func (a *App) Weak() bool { return true }

// Try implements hook.Receiver; it is not called, as the app is Weak.
func (a *App) Try(context.Context, hook.Handover) (string, error) { return "", nil }

// Hand implements hook.Receiver: it has App Service read the vault anew, and waits until it has.
func (a *App) Hand(ctx context.Context, h hook.Handover) error {
	op := "tell " + a.Place()
	var answer string
	date, err := a.client.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodPost, Path: a.id() + references + "/refresh", Version: apiVersion, Write: true, Hint: hint}, &answer)
	if err != nil {
		return err
	}
	var said page
	if answer = strings.TrimSpace(strings.TrimPrefix(answer, "\ufeff")); answer != "" && json.Unmarshal([]byte(answer), &said) != nil {
		return &driver.Error{Kind: driver.Ambiguous, Op: op, Detail: "the answer cannot be read", Date: date}
	}
	var all []reference
	if said.Next == "" {
		all = a.ours(said.Value) // what the refresh itself answers saves a call, where it is complete
	}
	start := time.Now()
	for pause := pollFrom; len(all) == 0 || pending(all, h.Version); pause = min(2*pause, pollEvery) {
		if len(all) > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return nil // it was asked for: what became of it is seen later
			}
		}
		if all, err = a.read(ctx, op); err != nil || len(all) == 0 || time.Since(start) > waitFor {
			break
		}
	}
	if err == nil && older(all, h.Version) != "" {
		return hook.ErrIdle
	}
	return nil
}

// pending says whether a refresh may not be over.
func pending(all []reference, version string) bool {
	return older(all, version) != "" || slices.ContainsFunc(all, func(r reference) bool {
		return slices.Contains([]string{"Initialized", "FetchTimedOut", unsaid}, r.status)
	})
}

// older is a setting of which App Service says that it has another version than the newest one; "" for none, or where it
// says nothing.
func older(all []reference, version string) string {
	for _, r := range all {
		if version != "" && r.status == resolved && r.holds != "" && !strings.EqualFold(r.holds, version) {
			return r.setting
		}
	}
	return ""
}

// unresolved is what App Service says of the first setting that it could not resolve; "" for none.
func unresolved(all []reference) string {
	for _, r := range all {
		if r.status != resolved {
			return "App Service says of the setting " + r.setting + ": " + r.status
		}
	}
	return ""
}

// Look implements hook.Watched.
func (a *App) Look(ctx context.Context, h hook.Handover) (why string, err error) {
	all, err := a.read(ctx, "look at "+a.Place())
	if err != nil {
		return "", err
	}
	if e := a.unfit(all); e != nil {
		return e.Detail, nil
	}
	if why := unresolved(all); why != "" {
		return why, nil
	}
	if s := older(all, h.Version); s != "" {
		return "App Service has another version for the setting " + s + " than the newest", nil
	}
	return "", nil
}
