package graph

import (
	"fmt"
	"net/http"
	"time"
)

// fault is a refusal in the form of facts 3.5.
type fault struct {
	status  int
	code    string
	message string
	details []detail
}

type detail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`
}

// body has a date without a zone, and "innerError" where Key Vault has "innererror" (recorded).
func (f *fault) body(now time.Time, request, client string) any {
	inner := map[string]string{"date": now.Format("2006-01-02T15:04:05"), "request-id": request, "client-request-id": client}
	e := map[string]any{"code": f.code, "message": f.message, "innerError": inner}
	if len(f.details) > 0 {
		e["details"] = f.details
	}
	return map[string]any{"error": e}
}

func badRequest(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "Request_BadRequest", message: fmt.Sprintf(format, args...)}
}

func unsupportedQuery(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "Request_UnsupportedQuery", message: fmt.Sprintf(format, args...)}
}

func unreadable() *fault {
	return &fault{status: http.StatusBadRequest, code: "BadRequest",
		message: "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."}
}

func denied() *fault {
	return &fault{status: http.StatusForbidden, code: "Authorization_RequestDenied", message: "Insufficient privileges to complete the operation."}
}

func notFound(id string) *fault {
	return &fault{status: http.StatusNotFound, code: "Request_ResourceNotFound",
		message: fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)}
}

func concurrency() *fault {
	return &fault{status: http.StatusConflict, code: "Directory_ConcurrencyViolation",
		message: "Error due to concurrent requests being made to the tenant. Please wait briefly and retry."}
}

func tooLarge() *fault {
	return &fault{status: http.StatusForbidden, code: "Directory_ResourceSizeExceeded",
		message: "The size of the object has exceeded its limit. Please reduce the number of values and retry your request."}
}

func noPassword(keyID string) *fault {
	return badRequest("No password credential found with keyId '%s'.", keyID)
}

func noKey(keyID string) *fault {
	return badRequest("No key credential found with keyId '%s'.", keyID)
}

// badProof is what a proof that proves nothing gets: it is read like a token.
func badProof() *fault {
	return &fault{status: http.StatusUnauthorized, code: "Authentication_MissingOrMalformed", message: "Access Token missing or malformed."}
}
