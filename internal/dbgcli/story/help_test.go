package story

import (
	"os"
	"strings"
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestHelp(t *testing.T) {
	page, err := os.ReadFile("../../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for reason, explained := range map[string]bool{
		v1alpha1.ReasonClassForbids: true, "ErrImagePull": true, v1alpha1.ReasonStillRunning: true, string(v1alpha1.OutcomeFailed): true,
		v1alpha1.ReasonRunning: false, v1alpha1.ReasonAwaitingApproval: false, string(v1alpha1.OutcomeCompleted): false, "": false,
	} {
		help := Help(session(func(s *v1alpha1.DebugSession) { s.Status.Reason = reason }))
		want := ""
		if explained {
			want = "https://debugsession.dev/operator/docs/troubleshooting.md#" + strings.ToLower(reason)
		}
		if help != want {
			t.Errorf("%s: %q, want %q", reason, help, want)
		}
		if explained && !strings.Contains(string(page), "\n### "+reason+"\n") {
			t.Errorf("the page does not explain %s", reason)
		}
	}
	rejected := session(func(s *v1alpha1.DebugSession) { s.Status.Outcome = v1alpha1.OutcomeTargetGone })
	if help := Help(rejected); !strings.HasSuffix(help, "#targetgone") {
		t.Errorf("without a reason: %q", help)
	}
}
