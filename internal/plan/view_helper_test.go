package plan_test

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// view is what there is to be seen, when Decide asks. A question that it has no answer to fails the test: that is how tests
// show that nothing more is asked than must be known.
type view struct {
	session *v1alpha1.DebugSession
	now     time.Time

	// What watches and caches say.
	candidates      *plan.Observed[[]corev1.Pod]
	freshCandidates *plan.Observed[[]corev1.Pod]
	target          *plan.Observed[*corev1.Pod]
	copied          *plan.Observed[*corev1.Pod]

	node *plan.Observed[*corev1.Node]

	// parent is the session that this one is a member of, and members those of this one.
	parent  *plan.Observed[*plan.Parent]
	members *plan.Observed[map[string]*v1alpha1.DebugSession]

	// watched are the pods of which an armed session waits for one, and selector what selects them; left out: app=web.
	watched  *plan.Observed[[]corev1.Pod]
	selector *plan.Observed[string]

	// template is that of the session's workload.
	template *plan.Observed[*debugpod.Template]

	// claim is the PersistentVolumeClaim of that name, and claimPods those that mount it.
	claim     *plan.Observed[*corev1.PersistentVolumeClaim]
	claimPods *plan.Observed[[]corev1.Pod]

	// maker is the session that the target was made for. Left out: none.
	maker *plan.Observed[string]

	// isolation is the policy of an isolated copy.
	isolation *plan.Observed[*networkingv1.NetworkPolicy]

	// image is the operator's own.
	image string

	// output is the end of what the debugger wrote.
	output *plan.Observed[string]

	// labels are the namespace's.
	labels labels.Set

	// What the API server says. Left out: the same.
	freshTarget *plan.Observed[*corev1.Pod]
	freshCopy   *plan.Observed[*corev1.Pod]

	freshApprovals *plan.Observed[[]approval.Approval]

	// What the rest says. Left out: a class that allows everything, used by who may, with room and without approvals; and
	// a process that knows nothing of the session's access.
	class   *plan.Observed[*v1alpha1.DebugClass]
	trusted *plan.Observed[*plan.Refusal]
	mayUse  *plan.Observed[bool]

	// targetNamespace is the labels of the namespace of a target elsewhere, and mayReach whether the requester may debug it there.
	targetNamespace *plan.Observed[labels.Set]
	mayReach        *plan.Observed[bool]

	// mayDeclare is whether the requester may start the session before its approval.
	mayDeclare *plan.Observed[bool]

	running   *plan.Observed[plan.Running]
	preview   *plan.Observed[plan.Preview]
	approvals *plan.Observed[[]approval.Approval]
	access    *plan.AccessState // left out: what it must be if all went well

	// budgets are the namespace's disruption budgets.
	budgets *plan.Observed[[]policyv1.PodDisruptionBudget]

	hashKey []byte

	// store is whether there is one for audit records, and record what is known of the session's.
	store  bool
	record *plan.RecordState

	// transcript is what is known of the session's.
	transcript *plan.TranscriptState

	// artifacts is what is known of the session's files.
	artifacts *plan.ArtifactsState

	// silent: nothing at all needs to be known.
	silent bool

	// staleOnly: what the watch says must do.
	staleOnly bool

	// pods are those in the answers, which belong to caches.
	pods []*corev1.Pod
}

// decide answers questions until there is a plan, as the controller does.
func (v view) decide(t tester) (plan.Snapshot, plan.Plan) {
	t.Helper()
	s, decided, err := plan.Run(plan.Snapshot{Session: v.session, Now: v.now, OperatorImage: v.image, HashKey: v.hashKey,
		AuditStore: v.store}, func(s *plan.Snapshot, q plan.Question) error {
		v.answer(t, s, q)
		return nil
	})
	if err != nil {
		t.Fatalf("no plan: %v", err)
	}
	return s, decided
}

func (v view) answer(t tester, s *plan.Snapshot, question plan.Question) {
	t.Helper()
	if v.silent {
		t.Fatalf("asks %T%+v, and should have no need to know", question, question)
	}
	switch q := question.(type) {
	case plan.CheckSeal:
		s.Trusted = or(v.trusted, plan.Found[*plan.Refusal](nil))
	case plan.ReadClass:
		s.Class = or(v.class, plan.Found(allowing))
	case plan.ReadNamespace:
		s.Namespace = plan.Found(v.labels)
	case plan.CheckUse:
		s.MayUse = or(v.mayUse, plan.Found(true))
	case plan.ReadTargetNamespace:
		s.TargetNamespace = known(t, q, v.targetNamespace)
	case plan.CheckReachPod:
		s.MayReachPod = known(t, q, v.mayReach)
	case plan.CheckEmergency:
		s.MayDeclareEmergency = known(t, q, v.mayDeclare)
	case plan.CountRunning:
		s.Running = or(v.running, plan.Found(plan.Running{}))
	case plan.DryRun:
		s.Preview = or(v.preview, plan.Found(plan.Preview{Object: []byte("{}")}))
	case plan.ReadApprovals:
		s.Approvals = or(v.approvals, plan.Found[[]approval.Approval](nil))
		if q.Fresh {
			s.Approvals = or(v.freshApprovals, s.Approvals).Fresh()
		}
	case plan.ReadAccessState:
		s.Access = plan.Found(v.recall())
	case plan.ReadRecord:
		if v.record == nil {
			t.Fatalf("asks %T%+v, and should have no need to know", q, q)
		}
		s.Record = plan.Found(*v.record)
	case plan.ReadArtifacts:
		if v.artifacts == nil {
			t.Fatalf("asks for the session's artifacts, and has none")
		}
		s.Artifacts = plan.Found(*v.artifacts)
	case plan.ReadTranscript:
		if v.transcript == nil {
			t.Fatalf("asks %T%+v, and should have no need to know", q, q)
		}
		s.Transcript = plan.Found(*v.transcript)
	case plan.ListCandidates:
		s.Candidates = known(t, q, v.candidates)
		if q.Fresh {
			s.Candidates = or(v.freshCandidates, s.Candidates).Fresh()
		}
	case plan.ResolveSelector:
		s.Selector = or(v.selector, plan.Found("app=web"))
	case plan.WatchPods:
		s.Watched = known(t, q, v.watched)
	case plan.ReadTarget:
		s.Target = known(t, q, v.target)
		if q.Fresh {
			if v.staleOnly {
				t.Fatalf("asks %T%+v, and the watch should be believed", q, q)
			}
			if v.freshTarget != nil {
				s.Target = *v.freshTarget
			}
			s.Target = s.Target.Fresh()
		}
	case plan.FindOwnerSession:
		s.OwnerSession = or(v.maker, plan.Absent[string]())
	case plan.ReadTemplate:
		s.Template = known(t, q, v.template)
	case plan.ReadClaim:
		s.Claim = known(t, q, v.claim)
	case plan.ListClaimPods:
		s.ClaimPods = known(t, q, v.claimPods)
	case plan.ReadNode:
		s.Node = known(t, q, v.node)
	case plan.ReadNetworkPolicy:
		s.NetworkPolicy = known(t, q, v.isolation)
	case plan.ListBudgets:
		s.Budgets = known(t, q, v.budgets)
	case plan.ReadOutput:
		s.Output = known(t, q, v.output)
	case plan.ReadParent:
		s.Parent = known(t, q, v.parent)
		if q.Fresh {
			s.Parent = s.Parent.Fresh()
		}
	case plan.ReadMembers:
		s.Members = known(t, q, v.members)
		if q.Fresh {
			s.Members = s.Members.Fresh()
		}
	case plan.ReadDebuggerPod:
		s.DebuggerPod = known(t, q, v.copied)
		if q.Fresh {
			if v.freshCopy != nil {
				s.DebuggerPod = *v.freshCopy
			}
			s.DebuggerPod = s.DebuggerPod.Fresh()
		}
	default:
		t.Fatalf("asks %T%+v, which these tests do not know", q, q)
	}
}

func (v view) recall() plan.AccessState {
	switch {
	case v.access != nil:
		return *v.access
	case v.session.Status.Phase == v1alpha1.PhaseActive:
		return plan.AccessGranted
	case v.session.Status.Phase == v1alpha1.PhaseEnding:
		return plan.AccessRevoked
	default:
		return plan.AccessUnsure
	}
}

var allowing = fixture.Class()

func or[T any](answer *plan.Observed[T], otherwise plan.Observed[T]) plan.Observed[T] {
	if answer == nil {
		return otherwise
	}
	return *answer
}

func known[T any](t tester, question plan.Question, answer *plan.Observed[T]) plan.Observed[T] {
	t.Helper()
	if answer == nil {
		t.Fatalf("asks %T%+v, and should have no need to know", question, question)
	}
	return *answer
}

type look func(*view)

// about is a view of the session at now.
func about(session *v1alpha1.DebugSession, looks ...look) view {
	v := view{session: session, now: now}
	for _, l := range looks {
		l(&v)
	}
	return v
}

// silent is a view in which nothing may be asked.
func silent(v *view) { v.silent = true }

func accessIs(state plan.AccessState) look { return func(v *view) { v.access = &state } }

func at(when time.Time) look { return func(v *view) { v.now = when } }

func target(pod *corev1.Pod) look {
	return func(v *view) { v.target, v.pods = new(plan.Found(pod)), append(v.pods, pod) }
}

func copied(pod *corev1.Pod) look {
	return func(v *view) { v.copied, v.pods = new(plan.Found(pod)), append(v.pods, pod) }
}

func freshTarget(pod *corev1.Pod) look {
	return func(v *view) { v.freshTarget, v.pods = new(plan.Found(pod)), append(v.pods, pod) }
}

func candidates(pods ...corev1.Pod) look          { return candidatesAre(plan.Found(pods)) }
func watched(pods ...corev1.Pod) look             { return watchedAre(plan.Found(pods)) }
func freshCopy(o plan.Observed[*corev1.Pod]) look { return func(v *view) { v.freshCopy = &o } }

func targetIs(o plan.Observed[*corev1.Pod]) look       { return func(v *view) { v.target = &o } }
func copyIs(o plan.Observed[*corev1.Pod]) look         { return func(v *view) { v.copied = &o } }
func watchedAre(o plan.Observed[[]corev1.Pod]) look    { return func(v *view) { v.watched = &o } }
func candidatesAre(o plan.Observed[[]corev1.Pod]) look { return func(v *view) { v.candidates = &o } }

var errOffline = errors.New("etcdserver: request timed out")

func absent() plan.Observed[*corev1.Pod]  { return plan.Absent[*corev1.Pod]() }
func unknown() plan.Observed[*corev1.Pod] { return plan.Unknown[*corev1.Pod](errOffline) }
func awaited() plan.Observed[*corev1.Pod] { return plan.Awaited[*corev1.Pod]() }
