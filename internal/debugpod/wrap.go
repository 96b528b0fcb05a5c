package debugpod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// WrapWithDeadline has the container keep to the deadlines whatever happens to the operator. A container without command and args runs sh: what
// its image would run is not known here.
//
// It returns an *InvalidError if there are args and no command to give them to.
func WrapWithDeadline(container *corev1.EphemeralContainer, deadlines Deadlines) error {
	command := container.Command
	if len(command) == 0 && len(container.Args) == 0 {
		command = []string{"sh"}
	}
	wrapped, err := Wrap(command, container.Args, deadlines)
	if err != nil {
		return err
	}
	container.Command, container.Args = wrapped, nil
	return nil
}

// Unwrap is a limited container's command without what limits it: what the session asked for.
func Unwrap(command []string) []string {
	if end := slices.Index(command, "--"); end >= 0 && len(command) > 3 && command[3] == wrapperName {
		return command[end+1:]
	}
	return command
}
