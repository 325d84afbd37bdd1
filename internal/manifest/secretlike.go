package manifest

import (
	"regexp"
	"slices"
	"strings"
)

// hidden stands for a text that looks like a secret.
const hidden = "[secret?]"

type span struct {
	from, to int
	what     string
}

var (
	// Entra's client secrets are 40 characters with a version digit and "Q~" after the first three.
	clientSecret = regexp.MustCompile(`[A-Za-z0-9_~.\-]{3}[0-9]Q~[A-Za-z0-9_~.\-]{30,}`)
	jwt          = regexp.MustCompile(`eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}(\.[A-Za-z0-9_\-]*)?`)
	refreshToken = regexp.MustCompile(`[01]\.A[A-Za-z0-9_\-]{80,}(\.[A-Za-z0-9_\-.]*)?`)
	privateKey   = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*-----)?`)
	ledgerKey    = regexp.MustCompile(`PRIVATE\+KEY\+[^\s"']+`)
)

// secrets finds what looks like a credential that somebody pasted. It knows shapes, not values: a password has none,
// so where one is likely the decoder does not repeat what it found.
func secrets(s string) []span {
	var found []span
	if len(s) < 20 {
		return nil
	}
	for i := 0; i < len(s); {
		if !alnum(s[i]) {
			i++
			continue
		}
		j := i
		for j < len(s) && alnum(s[j]) {
			j++
		}
		if run := s[i:j]; isPAT(run) {
			found = append(found, span{i, j, "a personal access token"})
		}
		i = j
	}
	// The literal first: a regular expression over megabytes costs more than reading the whole file.
	for _, p := range []struct {
		literal string
		re      *regexp.Regexp
		what    string
	}{
		{"Q~", clientSecret, "a client secret"},
		{"eyJ", jwt, "a token"},
		{".A", refreshToken, "a refresh token"},
		{"PRIVATE KEY-----", privateKey, "a private key"},
		{"PRIVATE+KEY+", ledgerKey, "a key that signs"},
	} {
		if !strings.Contains(s, p.literal) {
			continue
		}
		for _, at := range p.re.FindAllStringIndex(s, -1) {
			found = append(found, span{at[0], at[1], p.what})
		}
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	return found
}

// isPAT knows both forms of an Azure DevOps token: 84 characters signed AZDO (sources differ by one on where it
// begins), and the older 52 of lower-case base32.
func isPAT(run string) bool {
	if len(run) >= 80 && (run[76:80] == "AZDO" || run[75:79] == "AZDO") {
		return true
	}
	if len(run) != 52 {
		return false
	}
	digits := 0
	for i := range len(run) {
		switch c := run[i]; {
		case '2' <= c && c <= '7':
			digits++
		case c < 'a' || c > 'z':
			return false
		}
	}
	return digits > 0
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// redact replaces what looks like a secret.
func redact(s string) string {
	found := secrets(s)
	if len(found) == 0 {
		return s
	}
	var b strings.Builder
	end := 0
	for _, f := range found {
		if f.from < end {
			end = max(end, f.to)
			continue
		}
		b.WriteString(s[end:f.from] + hidden)
		end = f.to
	}
	b.WriteString(s[min(end, len(s)):])
	return b.String()
}
