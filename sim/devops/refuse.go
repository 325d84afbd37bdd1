package devops

import (
	"net/http"
	"net/url"
	"strings"
)

const (
	pageSignIn = `<!DOCTYPE html>
<html lang="en-US"><head><meta charset="utf-8"/><title>Azure DevOps Services | Sign In</title></head>
<body class="platform"><div class="sign-in-page"><h1>Sign in to Azure DevOps Services</h1>
<p>Please enable JavaScript in your browser to sign in.</p></div></body></html>
`
	pageNotFound = `<!DOCTYPE html>
<html lang="en-US"><head><meta charset="utf-8"/><title>Azure DevOps Services | 404 Not Found</title></head>
<body class="platform"><div class="error-page"><h1>404 - Page not found</h1></div></body></html>
`
	pagePatExpired = `<!DOCTYPE html>
<html lang="en-US"><head><meta charset="utf-8"/><title>` + patExpired + `</title></head>
<body class="platform"><div class="error-page"><h1>401 - Uh-oh, you do not have access.</h1></div></body></html>
`

	// patExpired is the one wording on record for a PAT that no longer works.
	patExpired = "Access Denied: The Personal Access Token used has expired."

	noGUID = "00000000-0000-0000-0000-000000000000"
)

func (c *call) suppressed() bool {
	return strings.EqualFold(c.r.Header.Get("X-TFS-FedAuthRedirect"), "Suppress")
}

// signInPage is the page behind every sign-in redirect. Its status is a success, and that is the trap in it.
func (c *call) signInPage() { c.html(http.StatusNonAuthoritativeInfo, pageSignIn) }

// signIn sends a caller without a usable credential to the sign-in page, or says 401 to one that asked not to be
// sent there.
func (c *call) signIn() {
	switch {
	case c.suppressed():
		c.challenge()
		c.w.Header().Add("WWW-Authenticate", `Basic realm="`+c.basicRealm()+`"`)
		c.empty(http.StatusUnauthorized)
	case c.knobs.SignInAs == "203":
		c.signInPage()
	default:
		to := c.signInAddress()
		c.w.Header().Set("Location", to)
		c.html(http.StatusFound, `<html><head><title>Object moved</title></head><body><h2>Object moved to <a href="`+
			strings.ReplaceAll(to, "&", "&amp;")+`">here</a>.</h2></body></html>`)
	}
}

// signInAddress is where the redirect leads. The query of the call is left out of it: nothing of it is needed here.
func (c *call) signInAddress() string {
	name := requestHost(c.r)
	q := url.Values{"realm": {name}, "reply_to": {"https://" + name + c.r.URL.EscapedPath()}, "redirect": {"1"}}
	if c.org != nil {
		q.Set("hid", c.org.ID)
	}
	return "https://" + signInHost + "/_signin?" + q.Encode()
}

// challenge sets the headers that tell a client which tenant to get a token from.
func (c *call) challenge() {
	tenant := noGUID
	if c.org != nil {
		tenant = c.org.TenantID
	}
	h := c.w.Header()
	h.Set("X-VSS-ResourceTenant", tenant)
	h.Set("X-VSS-AuthorizationEndpoint", "https://"+signInHost+"/")
	h.Set("X-TFS-FedAuthRealm", "https://"+requestHost(c.r)+"/")
	h.Set("X-TFS-FedAuthIssuer", "https://"+requestHost(c.r)+"/")
	h.Set("X-TFS-FedAuthRedirect", c.signInAddress())
	h.Add("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/"+tenant)
	h.Add("WWW-Authenticate", "TFS-Federated")
}

func (c *call) basicRealm() string { return "https://tfsprodweu1.visualstudio.com/" }

// patEmpty is the bare 401 that a PAT gets for whatever is wrong with it, a missing scope included.
func (c *call) patEmpty() {
	c.w.Header().Set("WWW-Authenticate", `Basic realm="`+c.basicRealm()+`"`)
	c.empty(http.StatusUnauthorized)
}

// badPat refuses a PAT that was good once or is good elsewhere. The wording on record is that of expiry; no source
// has one for the other reasons, so they share it.
func (c *call) badPat() {
	switch c.knobs.BadPat {
	case "accessCheckJSON":
		e := exceptionOf(typed("Microsoft.VisualStudio.Services.WebApi", "AccessCheckException"), patExpired)
		e.TypeName = "Microsoft.VisualStudio.Services.Security.AccessCheckException, Microsoft.VisualStudio.Services.WebApi"
		e.CustomProperties = &customProperties{NamespaceID: noGUID}
		c.w.Header().Set("WWW-Authenticate", `Basic realm="`+c.basicRealm()+`"`)
		c.serviceError(patExpired)
		c.json(http.StatusUnauthorized, "", c.knobs.BOM, e)
	case "html":
		c.w.Header().Set("WWW-Authenticate", `Basic realm="`+c.basicRealm()+`"`)
		c.html(http.StatusUnauthorized, pagePatExpired)
	default:
		c.patEmpty()
	}
}

// unauthorized is TF400813: a known identity without access. It starts with a byte order mark and has a bare media
// type, as recorded.
func (c *call) unauthorized(key, id string) {
	message := "TF400813: The user '" + c.s.storageKey(id) + "' is not authorized to access this resource."
	c.challenge()
	c.serviceError(message)
	c.json(http.StatusUnauthorized, "application/json", true, exceptionOf(framework(key), message))
}

// lacksScope refuses a credential that is good but not for this: a PAT gets the bare 401 of a dead one.
func (c *call) lacksScope() {
	if c.who.pat != nil {
		c.patEmpty()
		return
	}
	c.unauthorized("UnauthorizedRequestException", c.who.id)
}

func (c *call) stopped() {
	message := "TF24668: The following team project collection is stopped: " + c.org.Name + ". Start the collection and then try again."
	c.serviceError(message)
	c.json(http.StatusServiceUnavailable, "application/json", true,
		exceptionOf(typed("Microsoft.VisualStudio.Services.Common", "VssServiceException"), message))
}

func (c *call) conditionalAccess() {
	c.fail(http.StatusForbidden, typed("Microsoft.VisualStudio.Services.Common", "VssServiceException"),
		"VS403463: The conditional access policy defined by your Azure Active Directory administrator has failed.")
}
