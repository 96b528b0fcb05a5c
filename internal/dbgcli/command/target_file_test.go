package command

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTargetOfFiles(t *testing.T) {
	const (
		pod     = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n"
		deploy  = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: checkout}\n"
		rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: checkout}\n"
		other   = "apiVersion: example.com/v1\nkind: Pod\nmetadata: {name: web}\n"
	)
	for text, want := range map[string]struct{ target, namespace, err string }{
		pod:                           {"pod/web", "shop", ""},
		deploy:                        {"deployment/checkout", "", ""},
		rollout:                       {"rollout.argoproj.io/checkout", "", ""},
		other:                         {"pod.example.com/web", "", ""},
		pod + "---\n" + deploy:        {err: "describes 2 objects"},
		"kind: Pod\n":                 {err: "needs an apiVersion"},
		"apiVersion: v1\nkind: Pod\n": {err: "a metadata.name"},
		"{apiVersion: v1, kind":       {err: "error parsing"},
	} {
		file := filepath.Join(t.TempDir(), "target.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		target, namespace, err := targetOfFiles([]string{file})
		if target != want.target || namespace != want.namespace {
			t.Errorf("%q: %s in %q, want %+v", text, target, namespace, want)
		}
		if (err != nil) != (want.err != "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%q: error %v, want %q", text, err, want.err)
		}
	}
	if _, _, err := targetOfFiles([]string{filepath.Join(t.TempDir(), "none.yaml")}); err == nil {
		t.Error("a file that is not there describes something")
	}
}

// A file's namespace is that of the session, as with kubectl debug; -n must not say another.
func TestNamespaceOfTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "target.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: bank}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w,
			`{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "status": {"userInfo": {"username": "alice"}}}`)
	}))
	defer server.Close()
	for args, want := range map[string]string{
		"render -f FILE":            "namespace: bank",
		"render -f FILE -n bank":    "namespace: bank",
		"render -f FILE -n other":   "is in namespace bank, not other",
		"render pod/web -f FILE":    "specify only one of",
		"render -l app=web -f FILE": "specify only one of",
		"from-debug -- kubectl debug -f FILE --image=busybox:1.36 -it": "namespace: bank",
		"from-debug -- kubectl debug web -f FILE --image=busybox:1.36": "exactly one target",
	} {
		out, _, message := runAt(t, server.URL, strings.Fields(strings.ReplaceAll(args, "FILE", file))...)
		if !strings.Contains(out+message, want) {
			t.Errorf("%s: no %q in\n%s%s", args, want, out, message)
		}
	}
}
