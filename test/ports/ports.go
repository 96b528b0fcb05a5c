// Package ports finds a port to listen on for servers that cannot be given a listener.
package ports

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// Below 30000 are neither the ports from which systems make outgoing connections nor Kubernetes' node ports. A port that the system
// chooses is one of the former: between being found free and being listened on, any connection may be given it.
const first, last = 20000, 29999

// tried is how many ports were looked at, from some port on. Processes that run side by side have ids that are near to each other: each
// begins far enough from the next.
var tried atomic.Uint32

func init() { tried.Store(uint32(os.Getpid()) % (last - first + 1) * apart) }

// apart is how many ports a process can ask for until it comes to those of the next.
const apart = 61

// Free is a port that nobody listens on at localhost, and that was given to nobody else in this process who may be about to listen
// on it: only after all of the others is it given again.
func Free() (int, error) {
	var err error
	for range 100 {
		port := first + int(tried.Add(1)%(last-first+1))
		var listener net.Listener
		listener, err = net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.Join(errors.New("none of a hundred ports is free"), err)
}
