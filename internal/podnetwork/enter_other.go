//go:build !linux

package podnetwork

import (
	"fmt"
	"runtime"
)

// enter is Linux's alone, as network namespaces are.
func (e *entry) enter() error {
	return fmt.Errorf("there are no network namespaces on %s", runtime.GOOS)
}
