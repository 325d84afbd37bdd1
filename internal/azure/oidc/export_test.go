package oidc

import (
	"context"
	"net/url"
)

// Redeem asks for an ID token, for a target that fuzzes the answer.
func Redeem(c *Client, ctx context.Context) (string, error) {
	return c.redeem(ctx, "https://a.test/token", url.Values{"code": {"c"}})
}
