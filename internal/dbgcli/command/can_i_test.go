package command

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
)

// What the operator warns of in a dry run is the answer, and that a session would end before it starts is a no.
func TestCanI(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		warning string
		want    string
		code    int
	}{
		"yes": {
			http.StatusCreated, v1alpha1.DryRunWarning + "the API server would accept the debugger",
			"yes: by class standard, for 30m (at most 1h); Attach, Logs, for alice\nthe API server would accept the debugger\n", 0,
		},
		"yes, and nothing is foreseen": {
			http.StatusCreated, "", "yes: by class standard, for 30m (at most 1h); Attach, Logs, for alice\n", 0,
		},
		"what Pod Security would refuse": {
			http.StatusCreated, v1alpha1.DryRunWarning + v1alpha1.DryRunEnds + "Rejected: violates PodSecurity",
			"no: the session would end as Rejected: violates PodSecurity\n", 1,
		},
		"what admission refuses": {http.StatusForbidden, "", "no: it may not\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch r.Method + " " + r.URL.Path {
				case "POST /apis/authentication.k8s.io/v1/selfsubjectreviews":
					fmt.Fprint(w,
						`{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "status": {"userInfo": `+
							`{"username": "alice"}}}`)
				case "GET /apis/debugsession.dev/v1alpha1/debugclasses/standard":
					fmt.Fprint(w, `{"metadata": {"name": "standard"}, "spec": {"maxTTL": "1h", "defaults": {"ttl": "30m"}}}`)
				case "POST /apis/debugsession.dev/v1alpha1/namespaces/shop/debugsessions":
					if r.URL.Query().Get("dryRun") != "All" {
						t.Error("it asked for the session")
					}
					if test.warning != "" {
						w.Header().Set("Warning", fmt.Sprintf("299 - %q", test.warning))
					}
					w.WriteHeader(test.status)
					fmt.Fprint(w, answer(test.status))
				default:
					t.Errorf("%s %s", r.Method, r.URL.Path)
				}
			}))
			defer server.Close()
			out, code, message := runAt(t, server.URL, "can-i", "web")
			if out != test.want || code != test.code || message != "" {
				t.Errorf("%q, code %d, %q; want %q, code %d", out, code, message, test.want, test.code)
			}
		})
	}
}

func answer(status int) string {
	if status == http.StatusForbidden {
		return `{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "it may not"}`
	}
	return `{"apiVersion": "debugsession.dev/v1alpha1", "kind": "DebugSession",
		"metadata": {"name": "hang", "namespace": "shop"}, "spec": {"className": "standard", "requester": {"username": "alice"}}}`
}
