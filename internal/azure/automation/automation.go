// Package automation is Azure Automation as consumers: a runbook whose job hands the credential on, an encrypted
// variable, and a credential asset. All are told as Rekey's own identity, through Azure Resource Manager.
//
// It issues nothing, writes no runbook and has no schedules. What always holds (facts/keyvault-graph-arm.md 4): a job
// is named by what it is for, so that whoever starts it twice starts it once; a job's parameters can be read by whoever
// can read the account, for thirty days, so that the value is no parameter unless the manifest asks for it; what a
// service or a script says becomes part of a text only bounded and without anything that looks like a secret.
package automation

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/rekeyhq/rekey/internal/azure/azhttp"
	"github.com/rekeyhq/rekey/internal/driver"
)

const apiVersion = "2023-11-01"

// account is an Automation account.
type account struct {
	client *azhttp.Resources
	id     string // its resource id
}

// name is how people call it.
func (a account) name() string { return a.id[strings.LastIndexByte(a.id, '/')+1:] }

// item is the path of something in it.
func (a account) item(kind, name string) string { return a.id + "/" + kind + "/" + name }

// action is what a role must allow to do something to what is in an account.
func action(what string) string { return "Microsoft.Automation/automationAccounts/" + what }

func (a account) get(ctx context.Context, op, path, hint string, out any) (time.Time, error) {
	return a.client.Call(ctx, azhttp.ResourceCall{Op: op, Method: http.MethodGet, Path: path, Version: apiVersion, Hint: hint}, out)
}

// unfit is what cannot be told whatever is tried.
func unfit(op, detail, hint string) *driver.Error {
	return &driver.Error{Kind: driver.Rejected, Op: op, Detail: detail, Hint: hint, Person: true}
}
