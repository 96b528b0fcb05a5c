package debugpod

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Limit has the container end at the deadline whatever happens to the operator. A container without command and args
// runs sh: what its image would run is not known here.
//
// It returns an *InvalidError if there are args and no command to give them to.
func Limit(container *corev1.EphemeralContainer, deadline time.Time) error {
	command := container.Command
	if len(command) == 0 && len(container.Args) == 0 {
		command = []string{"sh"}
	}
	wrapped, err := Wrap(command, container.Args, deadline)
	if err != nil {
		return err
	}
	container.Command, container.Args = wrapped, nil
	return nil
}
