// Package k9s tests plugins/k9s.yaml in the real k9s, which runs in a terminal of tmux, in a real cluster. `make test-k9s` runs it. It is
// no part of `make test`: k9s takes seven minutes to compile on two cores.
package k9s

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/test/e2e/command"
)

const root = "../../.."

func TestK9s(t *testing.T) {
	if os.Getenv("INSTALL") == "" {
		t.Skip("INSTALL names no file that installs the operator: make test-k9s brings up a cluster and sets it")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "k9s")
}

// k9s is one that a user has open in a terminal.
type k9s struct{ user string }

// opens starts k9s with the keys of plugins/k9s.yaml, as a user, at a list of the namespace.
func opens(user, namespace, list string) k9s {
	GinkgoHelper()
	home := GinkgoT().TempDir()
	keys, err := os.ReadFile(filepath.Join(root, "plugins", "k9s.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(filepath.Join(home, "plugins.yaml"), keys, 0o600)).To(Succeed())
	binary, err := filepath.Abs(filepath.Join(root, "bin", "k9s"))
	Expect(err).NotTo(HaveOccurred())
	k := k9s{user}
	k.tmux("new-session", "-d", "-x", "150", "-y", "40", "-e", "HOME="+home, "-e", "K9S_CONFIG_DIR="+home,
		"-e", "KUBECONFIG="+command.Kubeconfig(user),
		binary, "--namespace", namespace, "--command", list, "--splashless")
	DeferCleanup(func() { _, _ = command.Try("", "tmux", "-L", k.server(), "kill-server") })
	k.shows(list + "(" + namespace + ")")
	return k
}

func (k k9s) server() string { return "debugsession-k9s-" + k.user }

func (k k9s) tmux(args ...string) string {
	GinkgoHelper()
	return command.Run("", "tmux", append([]string{"-L", k.server()}, args...)...)
}

// types sends keys by tmux's names for them.
func (k k9s) types(keys ...string) {
	GinkgoHelper()
	k.tmux(append([]string{"send-keys"}, keys...)...)
}

func (k k9s) screen() string {
	GinkgoHelper()
	return k.tmux("capture-pane", "-p")
}

func (k k9s) shows(text string) {
	GinkgoHelper()
	Eventually(k.screen).Should(ContainSubstring(text))
}

// goes shows another list.
func (k k9s) goes(list, title string) {
	GinkgoHelper()
	k.types(":")
	k.types(list, "Enter")
	k.shows(title)
}

// selects leaves of a list only what has a text.
func (k k9s) selects(text string) {
	GinkgoHelper()
	k.types("/")
	k.types(text, "Enter")
	k.shows("</" + text + ">")
}
