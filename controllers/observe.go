package controllers

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// observe has the plan decide, and answers what it asks. Nothing is read that was not asked for.
//
// If the plan has counted what else runs, done must be called when it has been persisted: until then no other session is
// counted in.
func (r *DebugSessionReconciler) observe(ctx context.Context, session *v1alpha1.DebugSession) (snapshot plan.Snapshot, decided plan.Plan, done func(), err error) {
	done = func() {}
	watching := false
	snapshot, decided, err = plan.Run(r.snapshot(session), func(s *plan.Snapshot, question plan.Question) error {
		switch q := question.(type) {
		case plan.ReadTarget:
			watching = true
			s.Target = r.observeTarget(ctx, session, q)
		case plan.CountRunning:
			r.starting.Lock()
			done = sync.OnceFunc(r.starting.Unlock)
			s.Running = r.observeRunning(ctx, session)
		default:
			r.answer(ctx, session, q, s)
		}
		return nil
	})
	// A session that begins to end is about to ask again.
	if err == nil && !watching && decided.Status.Phase != v1alpha1.PhaseEnding {
		r.Pods.Release(client.ObjectKeyFromObject(session))
	}
	return snapshot, decided, done, err
}

// snapshot is what is known of a session before anything is asked.
func (r *DebugSessionReconciler) snapshot(session *v1alpha1.DebugSession) plan.Snapshot {
	return plan.Snapshot{
		Session: session, Now: r.Clock.Now(), Change: r.Seal.VerifyChange(session), OperatorImage: r.Image, OperatorNamespace: r.Namespace, HashKey: r.Seal.HashKey(), AuditStore: r.Records.HasStore(),
	}
}

// answer answers a question that needs nothing but an answer.
func (r *DebugSessionReconciler) answer(ctx context.Context, session *v1alpha1.DebugSession, question plan.Question, snapshot *plan.Snapshot) {
	switch q := question.(type) {
	case plan.CheckSeal:
		snapshot.Trusted = r.observeTrust(ctx, session)
	case plan.ReadClass:
		snapshot.Class = r.observeClass(ctx, q.Name)
	case plan.ReadNamespace:
		snapshot.Namespace = r.observeNamespace(ctx, session.Namespace)
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
	case plan.ReadRecord:
		snapshot.Record = plan.Found(r.Records.State(session))
	case plan.ReadTranscript:
		snapshot.Transcript = plan.Found(r.Records.Transcript(session))
	case plan.ListCandidates:
		snapshot.Candidates = r.observeCandidates(ctx, session)
	case plan.FindOwnerSession:
		snapshot.OwnerSession = r.observeMaker(ctx, session, q.Pod)
	case plan.ReadNode:
		snapshot.Node = r.observeNode(ctx, q.Name)
	case plan.ReadNetworkPolicy:
		snapshot.NetworkPolicy = r.observeIsolation(ctx, session, q.Name)
	case plan.ListBudgets:
		snapshot.Budgets = r.observeBudgets(ctx, session.Namespace)
	case plan.ReadOutput:
		snapshot.Output = r.observeOutput(ctx, q)
	case plan.ReadDebuggerPod:
		snapshot.DebuggerPod = r.observeMade(ctx, session, q)
	default:
		panic("controllers: a question that is not answered")
	}
}

// observeTarget reads a pod from its watch, which tells when to look again.
func (r *DebugSessionReconciler) observeTarget(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadTarget) plan.Observed[*corev1.Pod] {
	name := types.NamespacedName{Namespace: session.Namespace, Name: q.Name}
	if q.Fresh {
		return readPod(ctx, r.Live, name).Fresh()
	}
	pod, known, err := r.Pods.Get(client.ObjectKeyFromObject(session), name)
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

// observeOutput reads the end of a container's log. Whatever is not found, the pod or its node, the log is not read.
func (r *DebugSessionReconciler) observeOutput(ctx context.Context, q plan.ReadOutput) plan.Observed[string] {
	output, err := r.Logs.End(ctx, q.Pod, q.Container, q.Ended)
	if err != nil {
		return plan.Unknown[string](err)
	}
	return plan.Found(output)
}

// observeBudgets lists the namespace's disruption budgets from the API server: few sessions ask, each once.
func (r *DebugSessionReconciler) observeBudgets(ctx context.Context, namespace string) plan.Observed[[]policyv1.PodDisruptionBudget] {
	budgets := &policyv1.PodDisruptionBudgetList{}
	if err := r.Live.List(ctx, budgets, client.InNamespace(namespace)); err != nil {
		return plan.Unknown[[]policyv1.PodDisruptionBudget](err)
	}
	return plan.Found(budgets.Items)
}

// observeMaker looks for the pod in what the sessions of the namespace have written down.
func (r *DebugSessionReconciler) observeMaker(ctx context.Context, session *v1alpha1.DebugSession, pod string) plan.Observed[string] {
	sessions := &v1alpha1.DebugSessionList{}
	if err := r.Client.List(ctx, sessions, client.InNamespace(session.Namespace), client.MatchingFields{madePodField: pod}, client.UnsafeDisableDeepCopy); err != nil {
		return plan.Unknown[string](err)
	}
	for i := range sessions.Items {
		if sessions.Items[i].UID != session.UID {
			return plan.Found(sessions.Items[i].Name)
		}
	}
	return plan.Absent[string]()
}

// madePodField indexes sessions by the pod that each has for its own.
const madePodField = "status.debugger.podName"

func indexMadePod(object client.Object) []string {
	if pod := plan.MadePod(object.(*v1alpha1.DebugSession)); pod != "" {
		return []string{pod}
	}
	return nil
}

// observeNode reads a node from the API server: it is read once or twice in a session's life, and not worth a watch on all.
func (r *DebugSessionReconciler) observeNode(ctx context.Context, name string) plan.Observed[*corev1.Node] {
	node := &corev1.Node{}
	return observed(node, r.Live.Get(ctx, types.NamespacedName{Name: name}, node))
}

// observeMade reads the session's own pod from the cache of pods that the operator made.
func (r *DebugSessionReconciler) observeMade(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadDebuggerPod) plan.Observed[*corev1.Pod] {
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
