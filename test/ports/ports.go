// Package ports finds a port to listen on for servers that cannot be given a listener.
package ports

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Below 30000 are neither the ports from which systems make outgoing connections nor Kubernetes' node ports. A port that the system
// chooses is one of the former: between being found free and being listened on, any connection may be given it.
const first, last = 20000, 29999

// Free is a port that nobody listens on at localhost.
func Free() (int, error) {
	var err error
	for range 100 {
		port := first + rand.IntN(last-first+1)
		var listener net.Listener
		listener, err = net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, errors.Join(errors.New("none of a hundred ports is free"), err)
}
