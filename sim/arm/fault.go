package arm

import (
	"fmt"
	"net/http"
)

// fault is a refusal in the error form of facts 2.
type fault struct {
	status  int
	code    string
	message string
	// gateway marks what Resource Manager itself refused, before any resource provider was asked.
	gateway bool
	// reason is the error_description of the challenge of a 401.
	reason string
}

func (f *fault) body() any {
	return map[string]any{"error": map[string]string{"code": f.code, "message": f.message}}
}

func gatewayFault(status int, code, message string) *fault {
	return &fault{status: status, code: code, message: message, gateway: true}
}

func badRequest(code, message string) *fault {
	return &fault{status: http.StatusBadRequest, code: code, message: message}
}

func resourceNotFound(kind, name, group string) *fault {
	return gatewayFault(http.StatusNotFound, "ResourceNotFound",
		fmt.Sprintf("The Resource '%s/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", kind, name, group))
}
