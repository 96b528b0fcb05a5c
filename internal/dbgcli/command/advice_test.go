package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// run runs kubectl dbg without a cluster, and returns what it wrote and what it would exit with.
func run(t *testing.T, args ...string) (out string, code int, message string) {
	t.Helper()
	return runAt(t, "http://127.0.0.1:1", args...)
}

// runAt is the same with an API server.
func runAt(t *testing.T, server string, args ...string) (out string, code int, message string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("apiVersion: v1\nkind: Config\nclusters: [{name: none, cluster: {server: '"+server+"'}}]\n"+
		"contexts: [{name: none, context: {cluster: none, namespace: shop}}]\ncurrent-context: none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", config)
	var written bytes.Buffer
	root := New(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &written, ErrOut: &bytes.Buffer{}}, "v1")
	root.SetArgs(args)
	code, message = ExitCode(root.ExecuteContext(t.Context()))
	return written.String(), code, message
}

// What was not understood is answered by what to type.
func TestErrorsSayWhatToType(t *testing.T) {
	for line, want := range map[string]string{
		"web --imagee=x":                        "kubectl dbg --help lists the flags",
		"approve":                               "kubectl dbg approve NAME [-m WHY]",
		"approve a --no":                        "kubectl dbg approve --help lists the flags",
		"deny":                                  "kubectl dbg deny NAME [-m WHY]",
		"attach a b":                            "kubectl dbg attach [NAME]",
		"list all":                              "kubectl dbg list",
		"describe a b":                          "kubectl dbg describe [NAME]",
		"end a b":                               "kubectl dbg end [NAME]",
		"emergency a b":                         "kubectl dbg emergency [NAME]",
		"extend":                                "kubectl dbg extend [NAME] +DURATION",
		"extend a 30m":                          "write +30m or +1h",
		"cp a":                                  "kubectl dbg cp [NAME]:PATH PATH",
		"cp a b":                                "kubectl dbg cp :a b",
		"exec a":                                "kubectl dbg exec a -- COMMAND",
		"logs a b":                              "kubectl dbg logs [NAME]",
		"port-forward":                          "kubectl dbg port-forward [NAME] [LOCAL:]PORT…",
		"port-forward hang":                     "kubectl dbg port-forward hang 8080",
		"classes a":                             "kubectl dbg classes",
		"from-debug":                            "kubectl dbg from-debug -- kubectl debug …",
		"from-debug -- kubectl debug web --odd": "kubectl debug --help lists its flags",
		"atach hang":                            "kubectl dbg --help lists the subcommands",
		"web -o yaml":                           "add --attach=false",
		"web --attach=false -o yml":             "-o yml: must be json, yaml or name",
		"deploy checkout":                       "kubectl dbg deploy/checkout",
		"web ps aux":                            "kubectl dbg web -- ps aux",
	} {
		_, code, message := run(t, strings.Fields(line)...)
		if code != 1 || !strings.Contains(message, want) {
			t.Errorf("kubectl dbg %s: exits with %d, and says %q, want %q", line, code, message, want)
		}
	}
}

// What a shell asks for by kubectl_complete-dbg, as far as no cluster has to be asked.
func TestCompletion(t *testing.T) {
	for line, want := range map[string][]string{
		"--pick ":                             {"Ready", "Unhealthy", "Newest", "Oldest"},
		"--profile s":                         {"sysadmin"},
		"can-i --profile r":                   {"restricted"},
		"list -o ":                            {"json", "yaml", "name", "wide"},
		"describe -o ":                        {"json", "yaml", "name"},
		"app":                                 {"approve"},
		"--attach=false --image-pull-policy ": {"Always", "IfNotPresent", "Never"},
	} {
		out, _, message := run(t, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		for _, word := range want {
			if !strings.Contains("\n"+out, "\n"+word) {
				t.Errorf("kubectl dbg %s: no %s in %q %s", line, word, out, message)
			}
		}
	}
}
