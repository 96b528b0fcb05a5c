// Package gitops tests what the tools that apply sessions from Git make of them: kstatus, which Flux and kpt read, and the
// health check for Argo CD in config/argocd, by the libraries that those tools are made of.
package gitops

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// life is a session's, as the planner writes it.
type life struct {
	t       *testing.T
	session *v1alpha1.DebugSession
	class   *v1alpha1.DebugClass
	pod     plan.Observed[*corev1.Pod]
	trusted *plan.Refusal
	said    []approval.Approval
	now     time.Time
}

func born(t *testing.T) *life {
	t.Helper()
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	return &life{t: t, session: session, class: fixture.Class(), pod: plan.Found(fixture.Pod()), now: fixture.Created.Add(time.Second)}
}

// goes takes as many looks at the session, each of which is written down.
func (l *life) goes(looks int) *life {
	l.t.Helper()
	for range looks {
		_, decided, err := plan.Run(plan.Snapshot{Session: l.session, Now: l.now}, func(s *plan.Snapshot, q plan.Question) error {
			l.answer(s, q)
			return nil
		})
		if err != nil {
			l.t.Fatal(err)
		}
		l.session.Status = decided.Status
	}
	return l
}

func (l *life) answer(s *plan.Snapshot, question plan.Question) {
	l.t.Helper()
	switch question.(type) {
	case plan.CheckSeal:
		s.Trusted = plan.Found(l.trusted)
	case plan.ReadClass:
		s.Class = plan.Found(l.class)
	case plan.ReadNamespace:
		s.Namespace = plan.Found(labels.Set{})
	case plan.CheckUse:
		s.MayUse = plan.Found(true)
	case plan.DryRun:
		s.Preview = plan.Found(plan.Preview{Object: []byte("{}")})
	case plan.ReadApprovals:
		s.Approvals = plan.Found(l.said).Fresh()
	case plan.ReadAccessState:
		s.Access = plan.Found(plan.AccessRevoked)
	case plan.ReadTarget:
		s.Target = l.pod.Fresh()
	case plan.FindOwnerSession:
		s.OwnerSession = plan.Absent[string]()
	default:
		l.t.Fatalf("asks %T, which this test does not know", question)
	}
}

// debugger has the kubelet say that of the debugger's container.
func (l *life) debugger(state corev1.ContainerState) *life {
	name := l.session.Status.Debugger.ContainerName
	l.pod = plan.Found(fixture.Pod(fixture.Ephemeral(name), fixture.EphemeralState(name, state)))
	return l
}

func (l *life) says(decision v1alpha1.Decision) *life {
	l.said = []approval.Approval{{DebugApproval: fixture.Approval("bob", l.session, decision, l.now), Sealed: true}}
	return l
}

func (l *life) edited() *life {
	l.session.Generation++
	return l
}

func active(t *testing.T) *life {
	return waiting(t).says(v1alpha1.DecisionApprove).goes(1).debugger(fixture.Running(fixture.Created)).goes(1)
}

func waiting(t *testing.T) *life {
	l := born(t)
	fixture.Approvals(1)(&l.class.Spec)
	return l.goes(1)
}

// object is the session as a tool reads it.
func (l *life) object() *unstructured.Unstructured {
	l.t.Helper()
	l.session.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DebugSession"))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(l.session)
	if err != nil {
		l.t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}
