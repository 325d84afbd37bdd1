package sim

import (
	"context"
	"net"
)

// tunnels is the listener whose connections come out of CONNECT requests.
type tunnels struct {
	conns  chan net.Conn
	ctx    context.Context // ends when the listener is closed
	cancel context.CancelFunc
}

func newTunnels() *tunnels {
	ctx, cancel := context.WithCancel(context.Background())
	return &tunnels{conns: make(chan net.Conn), ctx: ctx, cancel: cancel}
}

// put hands a connection to whoever accepts, or closes it when nobody will.
func (t *tunnels) put(c net.Conn) {
	select {
	case t.conns <- c:
	case <-t.ctx.Done():
		c.Close()
	}
}

func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-t.conns:
		return c, nil
	case <-t.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (t *tunnels) Close() error {
	t.cancel()
	return nil
}

func (t *tunnels) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
