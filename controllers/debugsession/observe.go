package debugsession

import (
	"context"
	"errors"
	"slices"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/kube/accessreview"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/trust"
)

// decision is what the plan has decided, and from what.
type decision struct {
	snapshot plan.Snapshot
	plan     plan.Plan
	// done must be called when the plan has been persisted. If the plan has counted the sessions that run, no other session is counted in
	// until then.
	done func()
}

// decide has the plan decide, and answers what it asks. Nothing is read that was not asked for.
func (r *Reconciler) decide(ctx context.Context, session *v1alpha1.DebugSession) (decision, error) {
	d := decision{done: func() {}}
	watching := false
	var err error
	d.snapshot, d.plan, err = plan.Run(r.snapshot(session), func(s *plan.Snapshot, question plan.Question) error {
		switch q := question.(type) {
		case plan.ReadTarget:
			watching = true
			s.Target = r.observeTarget(ctx, session, q)
		case plan.ResolveSelector:
			s.Selector = r.observeSelector(ctx, session)
		case plan.WatchPods:
			watching = true
			s.Watched = r.observeWatched(session, q)
		case plan.CountRunning:
			r.starting.Lock()
			d.done = sync.OnceFunc(r.starting.Unlock)
			s.Running = r.observeRunning(ctx, session)
		default:
			r.answer(ctx, session, q, s)
		}
		return nil
	})
	// A session that begins to end is about to ask again.
	if err == nil && !watching && d.plan.Status.Phase != v1alpha1.PhaseEnding {
		r.Pods.Release(client.ObjectKeyFromObject(session))
	}
	return d, err
}

// snapshot is what is known of a session before anything is asked.
func (r *Reconciler) snapshot(session *v1alpha1.DebugSession) plan.Snapshot {
	return plan.Snapshot{
		Session: session, Now: r.Clock.Now(), Change: r.Seal.VerifyChange(session), HashKey: r.Seal.HashKey(),
		OperatorImage: r.Image, OperatorNamespace: r.Namespace, AuditStore: r.Records.HasStore(),
	}
}

// answer answers a question that needs nothing but an answer.
func (r *Reconciler) answer(ctx context.Context, session *v1alpha1.DebugSession, question plan.Question, snapshot *plan.Snapshot) {
	switch q := question.(type) {
	case plan.CheckSeal:
		snapshot.Trusted = r.observeTrust(ctx, session)
	case plan.ReadClass:
		snapshot.Class = r.observeClass(ctx, q.Name)
	case plan.ReadNamespace:
		snapshot.Namespace = r.observeNamespace(ctx, session.Namespace)
	case plan.ReadTargetNamespace:
		snapshot.TargetNamespace = r.observeNamespace(ctx, q.Name)
	case plan.CheckReachPod:
		snapshot.MayReachPod = r.observeReview(ctx, session, accessreview.OnTarget(session))
	case plan.CheckUse:
		snapshot.MayUse = r.observeVerb(ctx, session, v1alpha1.VerbUse)
	case plan.CheckEmergency:
		snapshot.MayDeclareEmergency = r.observeVerb(ctx, session, v1alpha1.VerbEmergency)
	case plan.DryRun:
		snapshot.Preview = r.observePreview(ctx, session, q.Action)
	case plan.ReadApprovals:
		snapshot.Approvals = r.observeApprovals(ctx, session, q)
	case plan.ReadAccessState:
		snapshot.Access = plan.Found(r.states.get(session).access)
	case plan.ReadRecord, plan.ReadTranscript, plan.ReadArtifacts:
		r.answerOfRecord(session, q, snapshot)
	case plan.ListCandidates, plan.ReadTemplate, plan.ReadClaim, plan.ListClaimPods, plan.FindOwnerSession, plan.ReadNode:
		r.answerOfTarget(ctx, session, q, snapshot)
	case plan.ReadNetworkPolicy:
		snapshot.NetworkPolicy = r.observeNetworkPolicy(ctx, session, q.Name)
	case plan.ListBudgets:
		snapshot.Budgets = r.observeBudgets(ctx, session.Namespace)
	case plan.ReadOutput:
		snapshot.Output = r.observeOutput(ctx, q)
	case plan.ReadParent:
		snapshot.Parent = r.observeParent(ctx, session, q)
	case plan.ReadMembers:
		snapshot.Members = r.observeMembers(ctx, session, q)
	case plan.ReadDebuggerPod:
		snapshot.DebuggerPod = r.observeDebuggerPod(ctx, session, q)
	default:
		panic("debugsession: a question that is not answered")
	}
}

// answerOfRecord answers what is asked of what is kept of a session.
func (r *Reconciler) answerOfRecord(session *v1alpha1.DebugSession, question plan.Question, snapshot *plan.Snapshot) {
	switch question.(type) {
	case plan.ReadRecord:
		snapshot.Record = plan.Found(r.Records.State(session))
	case plan.ReadTranscript:
		snapshot.Transcript = plan.Found(r.Records.Transcript(session))
	case plan.ReadArtifacts:
		snapshot.Artifacts = plan.Found(r.Records.Artifacts(session))
	default:
		panic("debugsession: a question of a record that is not answered")
	}
}

// answerOfTarget answers what is asked of what is to be debugged, unless that is a pod that is named.
func (r *Reconciler) answerOfTarget(ctx context.Context, session *v1alpha1.DebugSession, question plan.Question, snapshot *plan.Snapshot) {
	switch q := question.(type) {
	case plan.ListCandidates:
		_, snapshot.Candidates = r.observeCandidates(ctx, session, q)
	case plan.ReadTemplate:
		snapshot.Template = r.observeTemplate(ctx, session)
	case plan.ReadClaim:
		snapshot.Claim = r.observeClaim(ctx, session, q.Name)
	case plan.ListClaimPods:
		snapshot.ClaimPods = r.observeClaimPods(ctx, session.Namespace, q.Claim)
	case plan.FindOwnerSession:
		snapshot.OwnerSession = r.observeOwnerSession(ctx, session, q.Pod)
	case plan.ReadNode:
		snapshot.Node = r.observeNode(ctx, q.Name)
	default:
		panic("debugsession: a question of a target that is not answered")
	}
}

// observeTarget reads a pod from its watch, which tells when to look again.
func (r *Reconciler) observeTarget(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadTarget) plan.Observed[*corev1.Pod] {
	name := types.NamespacedName{Namespace: session.TargetNamespace(), Name: q.Name}
	if q.Fresh {
		return readPod(ctx, r.Live, name).Fresh()
	}
	pod, known, err := r.Pods.Get(client.ObjectKeyFromObject(session), name)
	if err == nil && !known && overdue(session, r.Clock.Now()) {
		r.Pods.Hurry(client.ObjectKeyFromObject(session))
	}
	switch {
	case err != nil:
		return plan.Unknown[*corev1.Pod](err)
	case !known:
		return plan.Awaited[*corev1.Pod]()
	case pod == nil:
		return plan.Absent[*corev1.Pod]()
	default:
		return plan.Found(pod)
	}
}

// observeWatched are the pods of a selector from their watch, which tells when to look again.
func (r *Reconciler) observeWatched(session *v1alpha1.DebugSession, q plan.WatchPods) plan.Observed[[]corev1.Pod] {
	pods, known, err := r.Pods.List(client.ObjectKeyFromObject(session), session.Namespace, q.Selector)
	switch {
	case err != nil:
		return plan.Unknown[[]corev1.Pod](err)
	case !known:
		return plan.Awaited[[]corev1.Pod]()
	default:
		return plan.Found(pods)
	}
}

// observeOutput reads the end of a container's log. Whatever is not found, the pod or its node, the log is not read.
func (r *Reconciler) observeOutput(ctx context.Context, q plan.ReadOutput) plan.Observed[string] {
	output, err := r.Logs.End(ctx, q.Pod, q.Container, q.Ended)
	if err != nil {
		return plan.Unknown[string](err)
	}
	return plan.Found(output)
}

// observeBudgets lists the namespace's disruption budgets from the API server: few sessions ask, each once.
func (r *Reconciler) observeBudgets(ctx context.Context, namespace string) plan.Observed[[]policyv1.PodDisruptionBudget] {
	budgets := &policyv1.PodDisruptionBudgetList{}
	if err := r.Live.List(ctx, budgets, client.InNamespace(namespace)); err != nil {
		return plan.Unknown[[]policyv1.PodDisruptionBudget](err)
	}
	return plan.Found(budgets.Items)
}

// observeOwnerSession looks for the pod in what the sessions of its namespace have written down.
func (r *Reconciler) observeOwnerSession(ctx context.Context, session *v1alpha1.DebugSession, pod string) plan.Observed[string] {
	sessions, err := index.SessionsWithPod(ctx, r.Client, client.ObjectKey{Namespace: session.TargetNamespace(), Name: pod})
	if err != nil {
		return plan.Unknown[string](err)
	}
	for i := range sessions {
		if sessions[i].UID != session.UID {
			return plan.Found(sessions[i].Name)
		}
	}
	return plan.Absent[string]()
}

// observeClaim reads a claim from the API server: a cache would hold all claims of the cluster for few sessions.
func (r *Reconciler) observeClaim(ctx context.Context, session *v1alpha1.DebugSession, name string) plan.Observed[*corev1.PersistentVolumeClaim] {
	claim := &corev1.PersistentVolumeClaim{}
	return observed(claim, r.Live.Get(ctx, types.NamespacedName{Namespace: session.Namespace, Name: name}, claim))
}

// observeClaimPods lists the pods that mount a claim. No selector tells which they are.
func (r *Reconciler) observeClaimPods(ctx context.Context, namespace, claim string) plan.Observed[[]corev1.Pod] {
	pods, err := r.listPods(ctx, namespace, nil, false)
	if err != nil {
		return plan.Unknown[[]corev1.Pod](err)
	}
	return plan.Found(slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !debugpod.MountsClaim(&pod, claim) }))
}

// observeNode reads a node from the API server: it is read once or twice in a session's life, and not worth a watch on all.
func (r *Reconciler) observeNode(ctx context.Context, name string) plan.Observed[*corev1.Node] {
	node := &corev1.Node{}
	return observed(node, r.Live.Get(ctx, types.NamespacedName{Name: name}, node))
}

// observeDebuggerPod reads the session's own pod from the cache of pods that the operator made.
func (r *Reconciler) observeDebuggerPod(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadDebuggerPod) plan.Observed[*corev1.Pod] {
	name := types.NamespacedName{Namespace: session.Namespace, Name: q.Name}
	if q.Fresh {
		return readPod(ctx, r.Live, name).Fresh()
	}
	return readPod(ctx, r.Client, name)
}

func readPod(ctx context.Context, from client.Reader, name types.NamespacedName) plan.Observed[*corev1.Pod] {
	pod := &corev1.Pod{}
	return observed(pod, from.Get(ctx, name, pod))
}

// observeTrust reports whether it is known who asked for the session.
func (r *Reconciler) observeTrust(ctx context.Context, session *v1alpha1.DebugSession) plan.Observed[*plan.Refusal] {
	refusal, err := trust.Session(ctx, r.Seal, r.Admission, session)
	if err != nil {
		return plan.Unknown[*plan.Refusal](err)
	}
	return plan.Found(refusal)
}

func (r *Reconciler) observeClass(ctx context.Context, name string) plan.Observed[*v1alpha1.DebugClass] {
	class := &v1alpha1.DebugClass{}
	return observed(class, r.Client.Get(ctx, types.NamespacedName{Name: name}, class))
}

func (r *Reconciler) observeNamespace(ctx context.Context, name string) plan.Observed[labels.Set] {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Client.Get(ctx, types.NamespacedName{Name: name}, namespace)
	return observed(labels.Set(namespace.Labels), err)
}

// observed turns the answer to a read into an observation.
func observed[T any](value T, err error) plan.Observed[T] {
	switch {
	case apierrors.IsNotFound(err):
		return plan.Absent[T]()
	case err != nil:
		return plan.Unknown[T](err)
	default:
		return plan.Found(value)
	}
}

// observeVerb asks whether the requester holds the verb on the class in the session's namespace.
func (r *Reconciler) observeVerb(ctx context.Context, session *v1alpha1.DebugSession, verb string) plan.Observed[bool] {
	return r.observeReview(ctx, session, accessreview.OnClass(verb, session.Spec.ClassName, session.Namespace))
}

// observeReview asks whether the requester may do something.
func (r *Reconciler) observeReview(ctx context.Context, session *v1alpha1.DebugSession, what *authorizationv1.ResourceAttributes) plan.Observed[bool] {
	review, err := accessreview.Review(ctx, r.Client, session.Spec.Requester, what)
	switch {
	case err != nil:
		return plan.Unknown[bool](err)
	case !review.Allowed && review.EvaluationError != "":
		return plan.Unknown[bool](errors.New(review.EvaluationError))
	default:
		return plan.Found(review.Allowed)
	}
}
