package story

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// What is told of a session that is triggered more than once: each trigger, and no single choice of a pod.
func TestTellOfTriggers(t *testing.T) {
	s := session(func(s *v1alpha1.DebugSession) {
		stand(v1alpha1.PhaseActive, v1alpha1.ConditionDebuggerReady, v1alpha1.ReasonArmed, "waiting for trigger 2 of 3")(s)
		s.Spec.Target.When, s.Spec.NotAfter = &v1alpha1.When{Crashed: true, Times: 3}, at(time.Hour)
		s.Status.Target = &v1alpha1.TargetStatus{Name: "deployment/checkout (1 of 3)", Choice: "checkout-x crashed"}
		s.Status.Armed = &v1alpha1.ArmedStatus{Selector: "app=checkout", Since: at(-50 * time.Second), TriggeredAt: at(-30 * time.Second)}
		s.Status.StartedAt, s.Status.ExpiresAt = at(-30*time.Second), at(time.Hour)
		s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionAdmissible, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAdmitted,
			LastTransitionTime: *at(-50 * time.Second)})
		s.Status.Members = []v1alpha1.MemberStatus{{Name: "hang-1-91c2d4", PodName: "checkout-x", Number: 1, Trigger: "checkout-x crashed", TriggeredAt: at(-30 * time.Second),
			StartedAt: at(-28 * time.Second), Phase: v1alpha1.PhaseEnded, Outcome: v1alpha1.OutcomeCompleted}}
	})
	var told strings.Builder
	for _, moment := range Tell(s) {
		told.WriteString(moment.At.Sub(now).String() + " " + moment.Text + "\n")
	}
	const want = `-1m0s alice requested a debugger in deployment checkout, each time that one of its pods crashes (at most 3 times) for 30m, class production: INC-1
-50s armed: it watches the pods with app=checkout
-50s admitted to debug deployment/checkout (1 of 3)
-30s started: a session at each trigger
-30s triggered: checkout-x crashed
-28s the debugger started in pod checkout-x: session hang-1-91c2d4
1h0m0s it expires
`
	if told.String() != want {
		t.Errorf("told\n%s\nwant\n%s", told.String(), want)
	}
	if got := AttachToMember(s); !strings.Contains(got, "each time that one of its pods crashes (at most 3 times), and no debugger runs now") {
		t.Errorf("to attach: %q", got)
	}
	if got := NextOfCreated(s); !strings.Contains(got, "it starts 3 times, each time that a pod of deployment/checkout") || !strings.Contains(got, "until") {
		t.Errorf("next: %q", got)
	}
	if got := Row(s, now); got[2] != "Active" || got[3] != "Armed" || got[4] != "1h" {
		t.Errorf("its row is %q", got)
	}
}
