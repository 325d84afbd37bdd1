package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
)

// maxKeys bounds a key set. Entra ID's has about ten.
const maxKeys = 100

// keySet are keys that verify, by their ids.
type keySet map[string]key

type key struct {
	alg    string // RS256 or ES256: the one algorithm that it verifies
	public crypto.PublicKey
}

// jwks is a key set of RFC 7517.
type jwks struct {
	Keys []jwk `json:"keys"`
}

type jwk struct {
	Type  string `json:"kty"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
	ID    string `json:"kid"`
	N     string `json:"n"`
	E     string `json:"e"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// keys are those that a token can be verified with. A set may hold others, which are passed over. Of two with one id
// neither counts: nobody could say which is meant.
func (s jwks) keys() keySet {
	out, twice := keySet{}, map[string]bool{}
	for i, k := range s.Keys {
		if i == maxKeys {
			break
		}
		made, ok := k.key()
		if !ok {
			continue
		}
		if _, there := out[k.ID]; there {
			twice[k.ID] = true
		}
		out[k.ID] = made
	}
	for id := range twice {
		delete(out, id)
	}
	return out
}

func (k jwk) key() (key, bool) {
	if k.ID == "" || len(k.ID) > 200 || k.Use != "" && k.Use != "sig" {
		return key{}, false
	}
	switch {
	case k.Type == "RSA" && (k.Alg == "" || k.Alg == "RS256"):
		n, ok := number(k.N, 256, 1024) // 2048 to 8192 bits
		e, eok := number(k.E, 1, 4)
		if !ok || !eok || n.BitLen() < 2048 || e.Int64() < 3 || e.Int64()%2 == 0 || n.Bit(0) == 0 {
			return key{}, false
		}
		return key{"RS256", &rsa.PublicKey{N: n, E: int(e.Int64())}}, true
	case k.Type == "EC" && k.Curve == "P-256" && (k.Alg == "" || k.Alg == "ES256"):
		x, xok := number(k.X, 1, 32)
		y, yok := number(k.Y, 1, 32)
		if !xok || !yok {
			return key{}, false
		}
		point := make([]byte, 65)
		point[0] = 4
		x.FillBytes(point[1:33])
		y.FillBytes(point[33:])
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point) // refuses what is not on the curve
		if err != nil {
			return key{}, false
		}
		return key{"ES256", public}, true
	}
	return key{}, false
}

// number reads a number of so many bytes.
func number(text string, least, most int) (*big.Int, bool) {
	if len(text) > 2*most {
		return nil, false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < least || len(b) > most+1 {
		return nil, false
	}
	n := new(big.Int).SetBytes(b)
	return n, n.BitLen() <= 8*most && n.Sign() > 0
}
