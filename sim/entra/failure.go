package entra

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/rekeyhq/rekey/sim/world"
)

// failure is an error of Entra ID, an AADSTS code with its OAuth name. It never holds a credential.
type failure struct {
	status   int
	name     string // OAuth: "invalid_grant"
	code     int    // AADSTS
	text     string
	suberror string
}

func (f *failure) Error() string { return f.name + ": " + f.message() }

func (f *failure) message() string { return fmt.Sprintf("AADSTS%d: %s", f.code, f.text) }

// fail is the error envelope of facts/azure-devops-entra.md section 8.2: lines in error_description end in CR LF, and
// timestamps have a space, not a T.
func (s *Service) fail(q *request, f *failure) answer {
	at := s.w.Now().Format("2006-01-02 15:04:05Z")
	return jsonAnswer(f.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Timestamp   string `json:"timestamp"`
		Trace       string `json:"trace_id"`
		Correlation string `json:"correlation_id"`
		URI         string `json:"error_uri"`
		SubError    string `json:"suberror,omitempty"`
	}{
		f.name,
		fmt.Sprintf("%s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s", f.message(), q.trace, q.correlation, at),
		[]int{f.code}, at, q.trace, q.correlation,
		"https://" + Login + "/error?code=" + strconv.Itoa(f.code),
		f.suberror,
	})
}

func refuse(name string, code int, format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, name: name, code: code, text: fmt.Sprintf(format, args...)}
}

func refuseClient(code int, format string, args ...any) *failure {
	return &failure{status: http.StatusUnauthorized, name: "invalid_client", code: code, text: fmt.Sprintf(format, args...)}
}

func (f *failure) with(suberror string) *failure {
	f.suberror = suberror
	return f
}

// The request.

func errPostOnly(method string) *failure {
	return refuse("invalid_request", 900561, "The endpoint only accepts POST, OPTIONS requests. Received a %s request.", method)
}

func errMissing(parameter string) *failure {
	return refuse("invalid_request", 900144, "The request body must contain the following parameter: '%s'.", parameter)
}

func errTenant(name string) *failure {
	return refuse("invalid_tenant", 90002, "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", name)
}

func errNoTenant() *failure {
	return refuse("invalid_request", 50059, "No tenant-identifying information found in either the request or implied by any provided credentials.")
}

func errResource(name, tenant string) *failure {
	return refuse("invalid_resource", 500011, "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", name, tenant)
}

func errScope(scope, why string) *failure {
	return refuse("invalid_scope", 70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.%s", scope, why)
}

func errUnknownScope(client, scope, resource string) *failure {
	return refuse("invalid_client", 650053, "The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.", client, scope, resource)
}

// The client.

func errNoClient(id, tenant string) *failure {
	return refuse("unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", id, tenant)
}

func errClientDisabled(c client) *failure {
	return refuse("unauthorized_client", 7000112, "Application '%s'(%s) is disabled.", c.id, c.name)
}

func errNoPrincipal(c client, t *world.Tenant) *failure {
	return refuse("unauthorized_client", 7000229, "The client application %s is missing service principal in the tenant %s. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119 Provision application in tenant.", c.id, t.ID)
}

func errClientUnproved() *failure {
	return refuseClient(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
}

func errClientPublic() *failure {
	return refuseClient(700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
}

func errSecret(id string) *failure {
	return refuseClient(7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", id)
}

func errSecretExpired(id string) *failure {
	return refuseClient(7000222, "The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.", id)
}

func errSingleTenant(c client) *failure {
	return refuse("invalid_request", 50194, "Application '%s'(%s) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.", c.id, c.name)
}

func errConsent(c client) *failure {
	return refuse("invalid_grant", 65001, "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", c.id, c.name).with("consent_required")
}

// The user.

func errNoUser(tenant string) *failure {
	return refuse("invalid_grant", 50034, "The user account {EUII Hidden} does not exist in the %s directory. To sign into this application, the account must be added to the directory.", tenant)
}

func errDisabled() *failure {
	return refuse("invalid_grant", 50057, "The user account is disabled.")
}

func errPassword() *failure {
	return refuse("invalid_grant", 50126, "Error validating credentials due to invalid username or password.")
}

func errNoPassword() *failure {
	return refuse("invalid_grant", 50056, "Invalid or missing password: password does not exist in the directory for this user.")
}

func errPasswordExpired() *failure {
	return refuse("invalid_grant", 50055, "The password is expired.").with("user_password_expired")
}

func errMFA(resource string) *failure {
	return refuse("invalid_grant", 50076, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '%s'.", resource).with("basic_action")
}

// The grant.

func errGrant() *failure {
	return refuse("invalid_grant", 70000, "Provided grant is invalid or malformed.")
}

func errRevoked(issued, valid string) *failure {
	return refuse("invalid_grant", 50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '%s' and the TokensValidFrom date (before which tokens are not valid) for this user is '%s'.", issued, valid)
}

// tenantName is what errors call a tenant.
func tenantName(t *world.Tenant) string {
	if t == nil {
		return "Microsoft Services"
	}
	return t.Name
}
