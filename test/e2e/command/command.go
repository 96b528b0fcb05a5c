// Package command runs commands for the suites that try other people's programs.
package command

import (
	"bytes"
	"os/exec"
	"strings"
)

// Try runs a command and returns all that it wrote.
func Try(input, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	out := &bytes.Buffer{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), out, out
	err := cmd.Run()
	return out.String(), err
}
