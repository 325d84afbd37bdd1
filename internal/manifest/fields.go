package manifest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// field is one key of a struct, as its tags say it. The decoder and the schema both read this and nothing else.
type field struct {
	name     string
	index    int
	typ      reflect.Type // without the pointer
	pointer  bool
	required bool
	doc      string
	def      string
	enum     []string
	ref      string // the section that it is a name out of
	format   *format
	key      *format // of the names in a list that is written as a mapping
	group    string  // exactly one field of a group is set
	atMost   bool    // at most one is
	short    string  // the field of a struct that its text stands for
}

// format is what a text must look like. The pattern is the schema's too.
type format struct {
	pattern string
	min     int
	max     int // in characters; 0: no limit
	says    string
	re      *regexp.Regexp
	// shy texts are not repeated if they hold what no name of a secret ever holds: it may be the secret itself.
	shy bool
}

const guid = `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`

var formats = map[string]*format{
	"name": {pattern: `^[a-z0-9-]{1,40}$`, says: "must be 1 to 40 lower-case letters, digits and '-'"},
	"guid": {pattern: `^` + guid + `$`, says: "must be an id like 00000000-0000-0000-0000-000000000000"},
	"tenant": {pattern: `^(` + guid + `|[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+)$`,
		max: 253, says: "must be the tenant's id or a domain of it, like contoso.onmicrosoft.com"},
	"vault-name": {pattern: `^[a-zA-Z](-?[a-zA-Z0-9])*$`, min: 3, max: 24,
		says: "must be 3 to 24 letters, digits and '-', with a letter first, none of '-' doubled or last"},
	"secret-name": {pattern: `^[0-9a-zA-Z-]{1,127}$`, says: "must be 1 to 127 letters, digits and '-'", shy: true},
	"username":    {pattern: `^[^@\s]+@[^@\s]+\.[^@\s]+$`, max: 256, says: "must be a sign-in name like svc@contoso.onmicrosoft.com"},
	"env-name":    {pattern: `^[A-Za-z_][A-Za-z0-9_]*$`, max: 200, says: "must be the name of an environment variable", shy: true},
	"secret-template": {pattern: `^([0-9a-zA-Z-]|\{(name|organization)\}){1,127}$`,
		says: "must be 1 to 127 letters, digits and '-'", shy: true},
	"resource-id": {pattern: `^/subscriptions/` + guid + `/resource[gG]roups/[^/]+/providers/[^/]+/[^/]+/[^/]+$`,
		says: "must be a resource id, /subscriptions/.../resourceGroups/.../providers/..."},
	"scope": {pattern: `^/subscriptions/` + guid + `(/resource[gG]roups/[^/]+(/providers/[^/]+/[^/]+/[^/]+(/[^/]+/[^/]+)*)?)?$`, max: 1024,
		says: "must be an id below a subscription, /subscriptions/.../resourceGroups/.../providers/Microsoft.KeyVault/vaults/..."},
	"role": {pattern: `^[^\r\n'/]+$`, max: 200, says: "must be a role's name, as the portal has it, or its id"},
	"container": {pattern: `^https://[a-z0-9]{3,24}\.blob\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)/[a-z0-9](-?[a-z0-9]){2,62}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,5}$`,
		says: "must be the address of a container of Azure Storage, with what its blobs' names begin with: https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX, without a signature", shy: true},
	"ingestion": {pattern: `^https://[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,2}\.ingest\.monitor\.azure\.(com|us|cn)$`,
		says: "must be the address of a data collection endpoint, https://NAME.REGION.ingest.monitor.azure.com", shy: true},
	"collection-rule": {pattern: `^dcr-[0-9a-f]{32}$`, says: "must be the immutable id of a data collection rule, dcr- and 32 of 0-9 and a-f"},
	"stream":          {pattern: `^(Custom|Microsoft)-[A-Za-z0-9_]{1,60}$`, says: "must be a stream of the rule, like Custom-RekeyEvents_CL"},
	"receiver": {pattern: `^(https://[^\s/?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?)(/[^\s?#@]*)?$`,
		says: "must be an address like https://HOST/PATH, without a user name, query or fragment; http is for this very machine alone", shy: true},
	"content-type": {pattern: `^[^\r\n]*$`, max: 255, says: "must be one line of at most 255 characters"},
}

func (f *format) matches(s string) bool {
	if n := len([]rune(s)); n < f.min || f.max > 0 && n > f.max {
		return false
	}
	return f.re.MatchString(s)
}

// shown is the text as a message may repeat it.
func (f *format) shown(s string) string {
	if f.shy && !plainName.MatchString(s) {
		return hidden
	}
	return quote(s)
}

var plainName = regexp.MustCompile(`^[0-9A-Za-z _./:-]{1,200}$`)

func init() {
	for _, f := range formats {
		f.re = regexp.MustCompile(f.pattern)
	}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	setType      = reflect.TypeFor[Set]()
	argvType     = reflect.TypeFor[Argv]()
	tagsType     = reflect.TypeFor[map[string]string]()
)

var plans sync.Map // reflect.Type -> []field

// fieldsOf reads a struct's tags, in order. It panics on a tag that it does not understand: the program is wrong.
func fieldsOf(t reflect.Type) []field {
	if fs, ok := plans.Load(t); ok {
		return fs.([]field)
	}
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("yaml")
		if tag == "-" || !sf.IsExported() {
			continue
		}
		name, required := strings.CutSuffix(tag, ",required")
		f := field{name: name, index: i, typ: sf.Type, required: required, doc: sf.Tag.Get("doc"),
			def: sf.Tag.Get("default"), ref: sf.Tag.Get("ref"), short: sf.Tag.Get("short")}
		if f.typ.Kind() == reflect.Pointer {
			f.typ, f.pointer = f.typ.Elem(), true
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		}
		if is := sf.Tag.Get("is"); is != "" {
			f.format = formats[is]
		}
		if p := sf.Tag.Get("pattern"); p != "" {
			f.format = &format{pattern: p, says: sf.Tag.Get("says"), re: regexp.MustCompile(p)}
		}
		if k := sf.Tag.Get("key"); k != "" {
			f.key = formats[k]
		}
		f.group, f.atMost = strings.CutSuffix(sf.Tag.Get("one"), ",optional")
		if name == "" || f.doc == "" || !f.known() ||
			sf.Tag.Get("is") != "" && f.format == nil || !slices.Contains([]string{"", "accounts", "vaults", "brokers", "elevations"}, f.ref) {
			panic(fmt.Sprintf("manifest: the tags or the type of %s.%s are not understood", t, sf.Name))
		}
		fs = append(fs, f)
	}
	plans.Store(t, fs)
	return fs
}

func (f field) known() bool {
	switch {
	case f.typ == durationType, f.typ == setType, f.typ == argvType, f.typ == tagsType:
		return true
	case f.typ.Kind() == reflect.Slice:
		return f.typ.Elem().Kind() == reflect.Struct
	}
	switch f.typ.Kind() {
	case reflect.String, reflect.Int, reflect.Bool, reflect.Struct:
		return true
	}
	return false
}

// listed says that the field is a list, and not a mapping of names.
func (f field) listed() bool {
	return f.typ.Kind() == reflect.Slice && f.key == nil && f.typ.Elem().Kind() == reflect.Struct
}

func names(fs []field) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.name)
	}
	return out
}

// groups are the names of the groups in order, with their members.
func groups(fs []field) (order []string, members map[string][]field) {
	members = map[string][]field{}
	for _, f := range fs {
		if f.group == "" {
			continue
		}
		if members[f.group] == nil {
			order = append(order, f.group)
		}
		members[f.group] = append(members[f.group], f)
	}
	return order, members
}
