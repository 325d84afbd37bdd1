// Package examples holds the example manifests, so that the demo and the tests run the very files that people copy.
// It is not a library: there is one folder per kind of credential or consumer, each with a rekey.yaml that fits the simulator's
// built-in world as it is.
package examples

import _ "embed"

// PAT is pat/rekey.yaml: one personal access token.
//
//go:embed pat/rekey.yaml
var PAT []byte

// AppSecret is app-secret/rekey.yaml: one client secret of an app registration.
//
//go:embed app-secret/rekey.yaml
var AppSecret []byte

// ServiceConnection is service-connection/rekey.yaml: a token that a service connection holds.
//
//go:embed service-connection/rekey.yaml
var ServiceConnection []byte

// VariableGroup is variable-group/rekey.yaml: a token that pipelines read from a variable group.
//
//go:embed variable-group/rekey.yaml
var VariableGroup []byte
