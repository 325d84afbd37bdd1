package keyvault

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/sim/world"
)

// Limits of facts 1.2 and 1.5.
const (
	maxValue       = 25 * 1024
	maxContentType = 255
	maxTags        = 15
	maxTag         = 256
	maxLongTag     = 512
)

// input is the body of SetSecret, UpdateSecret and RestoreSecret. What is absent (or null) is nil. Attributes that
// only the service sets are ignored.
type input struct {
	Value       *string           `json:"value"`
	ContentType *string           `json:"contentType"`
	Tags        map[string]string `json:"tags"`
	Attributes  struct {
		Enabled   *bool  `json:"enabled"`
		NotBefore *int64 `json:"nbf"`
		Expires   *int64 `json:"exp"`
	} `json:"attributes"`
}

// rememberValue tells the world of a value before anything can refuse the request.
func (c *call) rememberValue() {
	if c.route.op != "SetSecret" && c.route.op != "RestoreSecret" {
		return
	}
	var in struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(c.body, &in) == nil {
		c.w.Remember(in.Value)
	}
}

// input reads the body and holds it to the limits. The parser's own words are left out of the refusal, as they may
// quote the body.
func (c *call) input() (input, *fault) {
	var in input
	if !utf8.Valid(c.body) || json.Unmarshal(c.body, &in) != nil {
		return in, badParameter("The request body is missing or is not valid JSON.")
	}
	if in.Value != nil && len(*in.Value) > maxValue {
		return in, badParameter(fmt.Sprintf("Secret value is too long: at most %d bytes are allowed.", maxValue))
	}
	if in.ContentType != nil && utf8.RuneCountInString(*in.ContentType) > maxContentType {
		return in, badParameter(fmt.Sprintf("Content type is too long: at most %d characters are allowed.", maxContentType))
	}
	if len(in.Tags) > maxTags {
		return in, badParameter(fmt.Sprintf("Too many tags: at most %d are allowed.", maxTags))
	}
	limit := maxTag
	if c.w.Knobs.KeyVault.LongTags {
		limit = maxLongTag
	}
	for k, v := range in.Tags {
		if k == "" || utf8.RuneCountInString(k) > limit || utf8.RuneCountInString(v) > limit {
			return in, badParameter(fmt.Sprintf("A tag's name or value is empty or too long: at most %d characters are allowed.", limit))
		}
	}
	return in, nil
}

// applyTo changes what is given and nothing else. Tags are replaced as a whole.
func (in input) applyTo(v *world.SecretVersion) {
	if in.ContentType != nil {
		v.ContentType = in.ContentType
	}
	if in.Tags != nil {
		v.Tags = in.Tags
	}
	if in.Attributes.Enabled != nil {
		v.Disabled = !*in.Attributes.Enabled
	}
	if in.Attributes.NotBefore != nil {
		v.NotBefore = in.Attributes.NotBefore
	}
	if in.Attributes.Expires != nil {
		v.Expires = in.Attributes.Expires
	}
}
