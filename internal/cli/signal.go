package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// Signals is what Env.Signals is on a machine: until stop is called, hear is told of what would end the program.
func Signals(hear func(os.Signal)) (stop func()) {
	c, over := make(chan os.Signal, 4), make(chan struct{})
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for {
			select {
			case s := <-c:
				hear(s)
			case <-over:
				return
			}
		}
	}()
	return func() { signal.Stop(c); close(over) }
}
