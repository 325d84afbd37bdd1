package arm

import (
	"net/http"

	"github.com/rekeyhq/rekey/sim/gateway"
)

// fault is a refusal in the error form of facts 2.
type fault = gateway.Fault

func badRequest(code, message string) *fault {
	return &fault{Status: http.StatusBadRequest, Code: code, Message: message}
}

func resourceNotFound(kind, name, group string) *fault {
	return gateway.Refusal(http.StatusNotFound, "ResourceNotFound",
		"The Resource '%s/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", kind, name, group)
}
