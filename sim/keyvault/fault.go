package keyvault

import "net/http"

// fault is a refusal, in the words of facts 1.4. Messages never hold a value.
type fault struct {
	status  int
	code    string
	message string
	inner   string // innererror.code, "" for none
	// tokenRefused adds error="invalid_token" to the challenge: a token came and was no good.
	tokenRefused bool
}

type errorBody struct {
	Code       string     `json:"code"`
	Message    string     `json:"message,omitempty"`
	InnerError *errorBody `json:"innererror,omitempty"`
}

func (f *fault) body() any {
	e := errorBody{Code: f.code, Message: f.message}
	if f.inner != "" {
		e.InnerError = &errorBody{Code: f.inner}
	}
	return map[string]errorBody{"error": e}
}

func unauthorized(message string, tokenRefused bool) *fault {
	return &fault{status: http.StatusUnauthorized, code: "Unauthorized", message: message, tokenRefused: tokenRefused}
}

func badParameter(message string) *fault {
	return &fault{status: http.StatusBadRequest, code: "BadParameter", message: message}
}

func conflict(inner, message string) *fault {
	return &fault{status: http.StatusConflict, code: "Conflict", inner: inner, message: message}
}

func notFound(nameOrID string) *fault {
	return &fault{status: http.StatusNotFound, code: "SecretNotFound",
		message: "A secret with (name/id) " + nameOrID + " was not found in this key vault. " +
			"If you recently deleted this secret you may be able to recover it using the correct recovery command. " +
			"For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"}
}

func deletedNotFound(name string) *fault {
	return &fault{status: http.StatusNotFound, code: "SecretNotFound", message: "Deleted Secret not found: " + name}
}

// methodNotAllowed is how a recover of a secret that is not deleted is refused: with status 400 (recorded).
func methodNotAllowed(operation string) *fault {
	return &fault{status: http.StatusBadRequest, code: "MethodNotAllowed",
		message: `Operation "` + operation + `" is not allowed on this secret, since it is not in a deleted state.`}
}
