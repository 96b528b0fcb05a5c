package flux

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// gitServer serves bare repositories over http, read only, on loopback.
type gitServer struct {
	folder string
	url    string
}

func serveGit(t *testing.T) *gitServer {
	g := NewWithT(t)
	programs, err := exec.Command("git", "--exec-path").Output()
	g.Expect(err).NotTo(HaveOccurred())
	folder := t.TempDir()
	server := httptest.NewServer(&cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + folder},
		Stderr: os.Stderr,
	})
	t.Cleanup(server.Close)
	return &gitServer{folder: folder, url: server.URL}
}

// repository is a work tree, whose commits go to a bare repository that is served.
type repository struct {
	t       *testing.T
	tree    string
	url     string
	commits int
}

func (s *gitServer) newRepository(t *testing.T, name string) *repository {
	r := &repository{t: t, tree: t.TempDir(), url: s.url + "/" + name + ".git"}
	bare := filepath.Join(s.folder, name+".git")
	r.git("init", "--quiet", "--bare", "--initial-branch=main", bare)
	r.git("init", "--quiet", "--initial-branch=main", ".")
	r.git("remote", "add", "origin", bare)
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", args...)
	command.Dir = r.tree
	command.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com")
	out, err := command.CombinedOutput()
	NewWithT(r.t).Expect(err).NotTo(HaveOccurred(), "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

func (r *repository) read(path string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.tree, path))
	NewWithT(r.t).Expect(err).NotTo(HaveOccurred())
	return string(content)
}

func (r *repository) write(path, content string) {
	r.t.Helper()
	g := NewWithT(r.t)
	path = filepath.Join(r.tree, path)
	g.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(Succeed())
	g.Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
}

func (r *repository) remove(path string) {
	r.t.Helper()
	NewWithT(r.t).Expect(os.Remove(filepath.Join(r.tree, path))).To(Succeed())
}

// commit commits the work tree as it is, and returns what Flux calls that revision.
func (r *repository) commit(message string) string {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message="+message)
	return r.pushed()
}

// revert takes the last commit back by another.
func (r *repository) revert() string {
	r.t.Helper()
	r.git("revert", "--no-edit", "HEAD")
	return r.pushed()
}

func (r *repository) pushed() string {
	r.t.Helper()
	r.git("push", "--quiet", "origin", "main")
	r.commits++
	return "main@sha1:" + r.git("rev-parse", "HEAD")
}

func (r *repository) head() string {
	r.t.Helper()
	return "main@sha1:" + r.git("rev-parse", "HEAD")
}
