package entra

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"io"
	"maps"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"

	"github.com/rekeyhq/rekey/internal/driver"
	"github.com/rekeyhq/rekey/internal/secret"
)

// sealType marks the secret that holds MSAL's cache: compressed, because a vault takes 25 KB.
const sealType = "application/vnd.rekey.msal-cache+gzip"

// maxCache bounds what an unpacked cache may be.
const maxCache = 1 << 20

// seal keeps MSAL's serialised cache in a vault. MSAL calls Replace before it reads and Export after it changed
// something, both under its own lock, and does not hand out a token whose Export failed.
type seal struct {
	ref     SecretRef
	version string
	plain   []byte // as last loaded or stored, to tell a change
	loaded  bool
	tags    map[string]string
	// held keeps a person's sign-in out of the vault until it is known who signed in.
	held    bool
	pending []byte
}

// Replace gives MSAL the sealed cache, which is read from the vault once a run.
func (s *seal) Replace(ctx context.Context, c cache.Unmarshaler, _ cache.ReplaceHints) error {
	if !s.loaded {
		if err := s.load(ctx); err != nil {
			return err
		}
	}
	if len(s.plain) == 0 {
		return nil
	}
	if err := c.Unmarshal(s.plain); err != nil {
		return driver.Errorf(driver.Rejected, "read the sealed token in "+s.ref.Name, "", "it is not a token cache that this version can read")
	}
	return nil
}

func (s *seal) load(ctx context.Context) error {
	r, err := s.ref.Store.Read(ctx, s.ref.Name)
	if err != nil {
		return err
	}
	s.loaded, s.version, s.tags, s.plain = true, r.Secret.Version, r.Secret.Tags, nil
	if r.Value.Empty() {
		return nil
	}
	defer r.Value.Wipe()
	return r.Value.Use(func(b []byte) error {
		s.plain, err = unpack(b)
		if err != nil {
			return driver.Errorf(driver.Rejected, "read the sealed token in "+s.ref.Name, "", "the secret does not hold a token cache: rekey login seals one")
		}
		return nil
	})
}

// Export seals the cache again if it changed: before the token that it came with is used.
func (s *seal) Export(ctx context.Context, m cache.Marshaler, _ cache.ExportHints) error {
	plain, err := m.Marshal()
	if err != nil {
		return driver.Errorf(driver.Rejected, "seal the token in "+s.ref.Name, "", "the token cache cannot be written")
	}
	if bytes.Equal(plain, s.plain) {
		return nil
	}
	if s.held {
		s.pending = plain
		return nil
	}
	return s.store(ctx, plain)
}

func (s *seal) store(ctx context.Context, plain []byte) error {
	op := "seal the token in " + s.ref.Name
	packed, err := pack(plain)
	if err != nil {
		return driver.Errorf(driver.Rejected, op, "", "%v", err)
	}
	var r driver.Reading
	for range 2 {
		r, err = s.ref.Store.Put(ctx, driver.Put{Name: s.ref.Name, Value: secret.New(bytes.Clone(packed)), Tags: maps.Clone(s.tags), ContentType: sealType})
		if driver.KindOf(err) != driver.Ambiguous {
			break
		}
		// The same value again is harmless, and losing the only refresh token is not.
	}
	if err != nil {
		return err
	}
	s.plain, s.version, s.loaded = plain, r.Secret.Version, true
	return nil
}

func pack(plain []byte) ([]byte, error) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return []byte(base64.StdEncoding.EncodeToString(buf.Bytes())), nil
}

func unpack(b []byte) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(string(b))
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxCache))
}
