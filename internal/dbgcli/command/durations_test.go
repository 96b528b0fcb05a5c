package command_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/command"
)

// ofGo is a duration as Go writes it, and people do not.
var ofGo = regexp.MustCompile(`\dm0s|\dh0m`)

// cluster answers for one session that waits to start and one class, and keeps what it is sent.
func cluster(t *testing.T, sent *bytes.Buffer) *httptest.Server {
	session := v1alpha1.DebugSession{
		TypeMeta:   metav1.TypeMeta{APIVersion: "debugsession.dev/v1alpha1", Kind: "DebugSession"},
		ObjectMeta: metav1.ObjectMeta{Name: "hang", Namespace: "shop", UID: "1"},
		Spec: v1alpha1.DebugSessionSpec{Mode: v1alpha1.ModeEphemeralContainer, TTL: &metav1.Duration{Duration: time.Hour},
			Requester: &v1alpha1.Identity{Username: "alice"}},
		Status: v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseAwaitingApproval,
			Request:   &v1alpha1.RequestStatus{Hash: "sha256:0", Preview: &runtime.RawExtension{Raw: []byte(`{"name":"debugger"}`)}},
			Approvals: []v1alpha1.ApprovalStatus{{Name: "hang-bob"}}},
	}
	class := v1alpha1.DebugClass{
		ObjectMeta: metav1.ObjectMeta{Name: "standard"},
		Spec:       v1alpha1.DebugClassSpec{MaxTTL: metav1.Duration{Duration: 8 * time.Hour}},
	}
	answers := map[string]any{
		"GET debugsessions":             v1alpha1.DebugSessionList{Items: []v1alpha1.DebugSession{session}},
		"GET hang":                      session,
		"GET debugclasses":              v1alpha1.DebugClassList{Items: []v1alpha1.DebugClass{class}},
		"PATCH hang":                    session,
		"POST debugsessions":            session,
		"POST debugapprovals":           v1alpha1.DebugApproval{ObjectMeta: metav1.ObjectMeta{Name: "hang-bob"}},
		"POST selfsubjectreviews":       json.RawMessage(`{"status":{"userInfo":{"username":"bob"}}}`),
		"POST selfsubjectaccessreviews": json.RawMessage(`{"status":{"allowed":true}}`),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			_, _ = io.Copy(sent, r.Body)
		}
		answer, ok := answers[r.Method+" "+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		if !ok {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestDurationsAreWrittenAsByPeople(t *testing.T) {
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	for line, want := range map[string]string{
		"pod/web --ttl=60m --attach=false --image=x":                          `"ttl":"1h"`,
		"render pod/web --ttl=90m0s --image=x":                                "ttl: 1h30m\n",
		"render pod/web --ttl=90m0s --image=x -o json":                        `"ttl": "1h30m"`,
		"render --approval hang":                                              "ttl: 1h\n",
		"from-debug -- kubectl debug web --ttl=1h0m0s --image=x --target=app": "ttl: 1h\n",
		"approve hang -y":                                                     `"ttl":"1h"`,
		"extend hang +30m":                                                    `"ttl":"1h30m"`,
		"list -o yaml":                                                        "ttl: 1h\n",
		"list -o json":                                                        `"ttl": "1h"`,
		"describe hang -o yaml":                                               "ttl: 1h\n",
		"classes -o yaml":                                                     "maxTTL: 8h\n",
		"classes":                                                             " 8h ",
	} {
		t.Run(line, func(t *testing.T) {
			var sent, out, failed bytes.Buffer
			server := cluster(t, &sent)
			root := command.New(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &failed}, "")
			root.SetArgs(append([]string{"--server=" + server.URL, "--namespace=shop"}, strings.Fields(line)...))
			root.SetOut(&out)
			if err := root.Execute(); err != nil {
				t.Fatal(err, failed.String())
			}
			all := sent.String() + out.String()
			if !strings.Contains(all, want) || ofGo.MatchString(all) {
				t.Errorf("want %q, and no duration of Go's, in\n%s", want, all)
			}
		})
	}
}

func TestHelpWritesDurationsAsPeopleDo(t *testing.T) {
	root := command.New(genericiooptions.NewTestIOStreamsDiscard(), "")
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		if help := cmd.Long + cmd.Example + cmd.Flags().FlagUsages(); ofGo.MatchString(help) {
			t.Errorf("%s: %s", cmd.CommandPath(), ofGo.FindString(help))
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(root)
}
