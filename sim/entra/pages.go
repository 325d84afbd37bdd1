package entra

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The pages have the forms that tests and people fill in, and nothing else of the real ones.
var (
	signInPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Sign in to your account</title></head><body>
<h1>Sign in</h1><p>to continue to {{.App}}</p>
{{with .Problem}}<p role="alert">{{.}}</p>{{end}}
<form method="post">
<label>Username <input name="username" type="email" value="{{.Username}}" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button type="submit">Sign in</button>
</form></body></html>
`))

	devicePage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Sign in to your account</title></head><body>
<h1>Enter code</h1>
{{with .Problem}}<p role="alert">{{.}}</p>{{end}}
{{if .Done}}<p>{{.Done}}</p>{{else}}
<form method="post">
<label>Code <input name="user_code" value="{{.Code}}"></label>
<label>Username <input name="username" type="email" value="{{.Username}}" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button type="submit">Sign in</button> <button type="submit" name="decline" value="1">Cancel</button>
</form>{{end}}</body></html>
`))

	formPostPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Working...</title></head><body>
<form method="post" action="{{.To}}">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<noscript><button type="submit">Submit</button></noscript></form>
<script>document.forms[0].submit()</script></body></html>
`))

	failurePage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Sign in to your account</title></head><body>
<h1>Sorry, but we're having trouble signing you in.</h1>
<p>{{.Message}}</p>
<p>Request Id: {{.Trace}}</p><p>Correlation Id: {{.Correlation}}</p><p>Timestamp: {{.At}}</p>
</body></html>
`))
)

type signInView struct{ App, Username, Problem string }

type deviceView struct{ Code, Username, Problem, Done string }

type field struct{ Name, Value string }

func page(status int, t *template.Template, v any) answer {
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return answer{status: http.StatusInternalServerError, ctype: "text/plain; charset=utf-8", body: []byte("simulator: " + err.Error())}
	}
	return answer{status: status, ctype: "text/html; charset=utf-8", body: b.Bytes()}
}

func (s *Service) errorPage(q *request, f *failure) answer {
	return page(http.StatusBadRequest, failurePage, struct{ Message, Trace, Correlation, At string }{
		f.message(), q.trace, q.correlation, s.w.Now().Format("2006-01-02T15:04:05Z"),
	})
}

// reply is the way back to a client's redirect URI.
type reply struct {
	to    string
	mode  string
	state string
}

func (r reply) send(v url.Values) answer {
	if r.state != "" {
		v.Set("state", r.state)
	}
	if r.mode == "form_post" {
		x := struct {
			To     template.URL
			Fields []field
		}{To: template.URL(r.to)} // it is one of the client's own
		for k := range v {
			x.Fields = append(x.Fields, field{k, v.Get(k)})
		}
		slices.SortFunc(x.Fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
		return page(http.StatusOK, formPostPage, x)
	}
	join := "?"
	switch {
	case r.mode == "fragment":
		join = "#"
	case strings.Contains(r.to, "?"):
		join = "&"
	}
	return answer{
		status: http.StatusFound, ctype: "text/html; charset=utf-8",
		header: http.Header{"Location": {r.to + join + v.Encode()}},
	}
}

func (r reply) fail(s *Service, q *request, f *failure) answer {
	name := f.name
	if f.suberror == "consent_required" {
		name = f.suberror
	}
	return r.send(url.Values{
		"error": {name},
		"error_description": {f.message() + " Trace ID: " + q.trace + " Correlation ID: " + q.correlation + " Timestamp: " +
			s.w.Now().Format("2006-01-02 15:04:05Z")},
		"error_uri": {"https://" + Login + "/error?code=" + strconv.Itoa(f.code)},
	})
}
