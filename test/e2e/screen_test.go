package e2e

import (
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
)

// screen is a person's terminal, with a command in it.
type screen struct {
	shown  *gbytes.Buffer
	keys   *os.File
	cmd    *exec.Cmd
	exited chan struct{}
}

// opens runs kubectl in a terminal of 80 columns, as the person, in the namespace.
func (p person) opens(n namespace, args ...string) *screen {
	GinkgoHelper()
	own := len(args) // how many of them are kubectl's: what follows -- is the debugger's
	if dashes := slices.Index(args, "--"); dashes >= 0 {
		own = dashes
	}
	cmd := exec.Command("kubectl", slices.Concat(args[:own], p.flags, []string{"-n", string(n)}, args[own:])...)
	cmd.Env = append(os.Environ(), "TERM=xterm")
	keys, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	Expect(err).NotTo(HaveOccurred())
	s := &screen{gbytes.NewBuffer(), keys, cmd, make(chan struct{})}
	go func() {
		defer close(s.exited)
		_, _ = io.Copy(io.MultiWriter(s.shown, GinkgoWriter), keys) // until the command has gone
		_ = cmd.Wait()
	}()
	DeferCleanup(func() {
		_ = cmd.Process.Kill()
		<-s.exited
		keys.Close()
	})
	return s
}

// Buffer is for gbytes.Say.
func (s *screen) Buffer() *gbytes.Buffer { return s.shown }

// text is all that was shown.
func (s *screen) text() string { return string(s.shown.Contents()) }

func (s *screen) types(keys string) {
	GinkgoHelper()
	_, err := s.keys.WriteString(keys)
	Expect(err).NotTo(HaveOccurred())
}

// exits waits until the command has, and returns its exit code.
func (s *screen) exits() int {
	GinkgoHelper()
	Eventually(s.exited).Should(BeClosed())
	return s.cmd.ProcessState.ExitCode()
}

// dbg runs kubectl dbg without a terminal, and returns what it wrote and its exit code.
func (p person) dbg(n namespace, stdin string, args ...string) (stdout, stderr string, code int) {
	GinkgoHelper()
	cmd, out, errs := p.command(n, stdin, args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		Expect(err).NotTo(HaveOccurred())
	}
	return string(out.Contents()), string(errs.Contents()), cmd.ProcessState.ExitCode()
}

func (p person) command(n namespace, stdin string, args ...string) (cmd *exec.Cmd, out, errs *gbytes.Buffer) {
	out, errs = gbytes.NewBuffer(), gbytes.NewBuffer()
	cmd = exec.Command("kubectl", append([]string{"dbg"}, append(append([]string{"-n", string(n)}, p.flags...), args...)...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), io.MultiWriter(out, GinkgoWriter), io.MultiWriter(errs, GinkgoWriter)
	return cmd, out, errs
}

// network is between a client and the API server, and can be cut.
type network struct {
	flags []string // of a client that goes through it

	mu   sync.Mutex
	cut  bool
	open []net.Conn
	left int64         // until it is cut
	away time.Duration // and for how long then
}

func newNetwork() *network {
	GinkgoHelper()
	server, err := url.Parse(kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"))
	Expect(err).NotTo(HaveOccurred())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	n := &network{flags: []string{"--server=https://" + listener.Addr().String(), "--tls-server-name=" + server.Hostname()}}
	DeferCleanup(func() { listener.Close(); n.set(true) })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			n.serve(client, server.Host)
		}
	}()
	return n
}

func (n *network) serve(client net.Conn, address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	server, err := net.Dial("tcp", address)
	if err != nil || n.cut {
		client.Close()
		return
	}
	n.open = append(n.open, client, server)
	go func() { _, _ = io.Copy(io.MultiWriter(server, n), client); server.Close() }()
	go func() { _, _ = io.Copy(io.MultiWriter(client, n), server); client.Close() }()
}

// cutAfter cuts the network once so much has gone through it, for a time.
func (n *network) cutAfter(bytes int64, away time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left, n.away = bytes, away
}

// Write counts what goes through.
func (n *network) Write(p []byte) (int, error) {
	n.mu.Lock()
	before := n.left
	n.left -= int64(len(p))
	cut, away := before > 0 && n.left <= 0, n.away
	n.mu.Unlock()
	if cut {
		n.set(true)
		time.AfterFunc(away, func() { n.set(false) })
	}
	return len(p), nil
}

// set cuts the network, with all connections that there are, or mends it.
func (n *network) set(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	if cut {
		for _, conn := range n.open {
			conn.Close()
		}
		n.open = nil
	}
}
