package gitops

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestWhatToolsMakeOfASession(t *testing.T) {
	swept := fixture.Exited(fixture.Created, 143, "Error", "")
	for name, tc := range map[string]struct {
		life    *life
		phase   v1alpha1.Phase
		outcome v1alpha1.Outcome
		kstatus status.Status
		argo    string
	}{
		"just applied":         {born(t), "", "", status.InProgressStatus, "Progressing"},
		"waits for its target": {gone(born(t)).goes(1), v1alpha1.PhasePending, "", status.InProgressStatus, "Progressing"},
		"waits for approval":   {waiting(t), v1alpha1.PhaseAwaitingApproval, "", status.InProgressStatus, "Suspended"},
		"starts":               {born(t).goes(2), v1alpha1.PhaseStarting, "", status.InProgressStatus, "Progressing"},
		"runs":                 {active(t), v1alpha1.PhaseActive, "", status.CurrentStatus, "Healthy"},
		"runs, and was edited": {active(t).edited(), v1alpha1.PhaseActive, "", status.InProgressStatus, "Progressing"},
		"is ended":             {ended(active(t)).goes(1), v1alpha1.PhaseEnding, "", status.InProgressStatus, "Progressing"},
		"terminated": {ended(active(t)).goes(1).debugger(swept).goes(1), v1alpha1.PhaseEnded, v1alpha1.OutcomeTerminated,
			status.CurrentStatus, "Healthy"},
		"expired": {later(active(t)).goes(1).debugger(swept).goes(1), v1alpha1.PhaseEnded, v1alpha1.OutcomeExpired,
			status.CurrentStatus, "Healthy"},
		"expired, edited in Git after": {later(active(t)).goes(1).debugger(swept).goes(1).edited().goes(1), v1alpha1.PhaseEnded,
			v1alpha1.OutcomeExpired,
			status.CurrentStatus, "Healthy"},
		"completed": {active(t).debugger(fixture.Exited(fixture.Created, 0, "Completed", "")).goes(2), v1alpha1.PhaseEnded,
			v1alpha1.OutcomeCompleted, status.CurrentStatus, "Healthy"},
		"its target went": {gone(active(t)).goes(2), v1alpha1.PhaseEnded, v1alpha1.OutcomeTargetGone,
			status.CurrentStatus, "Healthy"},
		"revoked": {silenced(active(t)).goes(1).debugger(swept).goes(1), v1alpha1.PhaseEnded, v1alpha1.OutcomeRevoked,
			status.CurrentStatus, "Healthy"},
		"denied": {waiting(t).says(v1alpha1.DecisionDeny).goes(1), v1alpha1.PhaseEnded, v1alpha1.OutcomeDenied,
			status.FailedStatus, "Degraded"},
		"nobody approved": {later(waiting(t)).goes(1), v1alpha1.PhaseEnded, v1alpha1.OutcomeTimedOut,
			status.FailedStatus, "Degraded"},
		"the class forbids it": {forbidden(born(t)).goes(1), v1alpha1.PhaseEnded, v1alpha1.OutcomeRejected,
			status.FailedStatus, "Degraded"},
		"nobody vouches for it": {untrusted(born(t)).goes(1), v1alpha1.PhaseEnded, v1alpha1.OutcomeRejected,
			status.FailedStatus, "Degraded"},
		"its target went before it ran": {gone(waiting(t).says(v1alpha1.DecisionApprove).goes(1)).goes(2), v1alpha1.PhaseEnded,
			v1alpha1.OutcomeTargetGone,
			status.FailedStatus, "Degraded"},
		"its image was never there": {later(
			waiting(t).says(v1alpha1.DecisionApprove).goes(1).debugger(fixture.Waiting("ErrImagePull", "not found")).goes(1)).goes(2),
			v1alpha1.PhaseEnded, v1alpha1.OutcomeNotStarted, status.FailedStatus, "Degraded"},
		"could not start": {waiting(t).says(v1alpha1.DecisionApprove).goes(1).
			debugger(fixture.Exited(fixture.Created, 128, "StartError", "no sh")).goes(2), v1alpha1.PhaseEnded, v1alpha1.OutcomeNotStarted,
			status.FailedStatus, "Degraded"},
	} {
		t.Run(name, func(t *testing.T) {
			if s := tc.life.session.Status; s.Phase != tc.phase || s.Outcome != tc.outcome {
				t.Fatalf("the session is %q, %q; the test is about one that is %q, %q", s.Phase, s.Outcome, tc.phase, tc.outcome)
			}
			object := tc.life.object()
			result, err := status.Compute(object)
			if err != nil || result.Status != tc.kstatus {
				t.Errorf("kstatus is %v (%v), want %s", result, err, tc.kstatus)
			}
			health, message := argo(t, "DebugSession", object.Object)
			if health != tc.argo || message == "" {
				t.Errorf("Argo CD shows %s: %q, want %s", health, message, tc.argo)
			}
		})
	}
}

func TestWhatArgoCDMakesOfAnApproval(t *testing.T) {
	for counted, want := range map[metav1.ConditionStatus]string{"": "Progressing", metav1.ConditionTrue: "Healthy",
		metav1.ConditionFalse: "Degraded"} {
		approval := &v1alpha1.DebugApproval{}
		if counted != "" {
			approval.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionCounted, Status: counted, Message: "why"}}
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(approval)
		if err != nil {
			t.Fatal(err)
		}
		if health, _ := argo(t, "DebugApproval", content); health != want {
			t.Errorf("of one with Counted=%s it shows %s, want %s", counted, health, want)
		}
	}
}

func gone(l *life) *life {
	l.pod = plan.Absent[*corev1.Pod]()
	return l
}

func ended(l *life) *life {
	l.session.Spec.End = true
	return l.edited()
}

func later(l *life) *life {
	l.now = l.now.Add(48 * time.Hour)
	return l
}

func silenced(l *life) *life {
	l.said = nil
	return l
}

func forbidden(l *life) *life {
	l.class.Spec.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy}
	return l
}

func untrusted(l *life) *life {
	l.trusted = &plan.Refusal{Reason: v1alpha1.ReasonNotTrusted, Message: "nobody stamped it"}
	return l
}

// argo runs the health check of a kind as Argo CD does: a Lua script that is given the object as obj.
func argo(t *testing.T, kind string, object map[string]any) (health, message string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "argocd", "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(content, config); err != nil {
		t.Fatal(err)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", asLua(t, state, object))
	if err := state.DoString(config.Data["resource.customizations.health."+v1alpha1.GroupVersion.Group+"_"+kind]); err != nil {
		t.Fatal(err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the check answers %v", state.Get(-1))
	}
	return answer.RawGetString("status").String(), answer.RawGetString("message").String()
}

func asLua(t *testing.T, state *lua.LState, value any) lua.LValue {
	t.Helper()
	switch v := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(asLua(t, state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, asLua(t, state, item))
		}
		return table
	default:
		t.Fatalf("an object holds a %T", value)
		return lua.LNil
	}
}
