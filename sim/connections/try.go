package connections

import (
	"net/http"

	"github.com/rekeyhq/rekey/sim/gateway"
)

// try signs in with what is stored, as the connection would before it is used.
func (c *call) try() *fault {
	k := c.W.Knobs.Connections
	if k.TestAlwaysOK {
		return nil
	}
	var f *fault
	if c.conn.Refused {
		c.conn.Refused = false // what was refused before is tried anew
	}
	code, message := problem(c.conn)
	if code != "" {
		_, f = refuse(http.StatusUnauthorized, code, "%s", message)
	} else if _, value := c.conn.Credential(); value != "" {
		if tried := c.W.Try(value, c.conn.Use()); !tried.Works {
			_, f = refuse(http.StatusUnauthorized, "Unauthorized", "%s", tried.Why)
		}
	}
	c.conn.Refused = f != nil && code == "" && k.TestTells
	return f
}

// test is the answer of a test link: a success if the credentials work, as clients infer (facts 5).
func (c *call) test() (answer, *fault) {
	if f := c.try(); f != nil {
		return answer{}, f
	}
	return answer{Status: http.StatusOK}, nil
}

// invoke is the answer of a test request: 200, with what came of it inside.
func (c *call) invoke() (answer, *fault) {
	f := c.try()
	if f == nil {
		return gateway.OK(map[string]any{"response": map[string]any{"statusCode": "OK", "body": map[string]any{}}})
	}
	return gateway.OK(map[string]any{"response": map[string]any{
		"statusCode": "Unauthorized", "body": map[string]any{"error": map[string]string{"code": f.Code, "message": f.Message}},
	}})
}
