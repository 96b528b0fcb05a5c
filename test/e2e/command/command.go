// Package command runs commands for the suites that try other people's programs.
package command

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Try runs a command and returns all that it wrote.
func Try(input, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	out := &bytes.Buffer{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), out, out
	err := cmd.Run()
	return out.String(), err
}

// Run runs a command, which must succeed.
func Run(input, name string, args ...string) string {
	GinkgoHelper()
	out, err := Try(input, name, args...)
	Expect(err).NotTo(HaveOccurred(), "%s %s: %s", name, strings.Join(args, " "), out)
	return out
}

// Kubectl runs kubectl, which must succeed.
func Kubectl(args ...string) string {
	GinkgoHelper()
	return Run("", "kubectl", args...)
}

// Kubeconfig is that of one of the test cluster's users.
func Kubeconfig(user string) string {
	return filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), user+".kubeconfig")
}
