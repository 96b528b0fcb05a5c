package debugsession

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/trust"
)

// observeParent reads the session that a member names, and whether it is known who asked for it. Of one that has ended that does not matter.
func (r *Reconciler) observeParent(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadParent) plan.Observed[*plan.Parent] {
	parent, from := &v1alpha1.DebugSession{}, r.Sessions
	if q.Fresh {
		from = r.Live
	}
	err := from.Get(ctx, types.NamespacedName{Namespace: session.Namespace, Name: q.Name}, parent)
	if !q.Fresh {
		return observed(&plan.Parent{Session: r.states.peek(parent)}, err)
	}
	read := &plan.Parent{Session: parent}
	if err == nil && parent.Status.Phase != v1alpha1.PhaseEnded {
		read.Distrust, err = trust.Session(ctx, r.Seal, r.Admission, parent)
	}
	return observed(read, err).Fresh()
}

// observeMembers reads the members of those names: whole, also if they have ended and rest.
func (r *Reconciler) observeMembers(ctx context.Context, session *v1alpha1.DebugSession, q plan.ReadMembers) plan.Observed[map[string]*v1alpha1.DebugSession] {
	members := make(map[string]*v1alpha1.DebugSession, len(q.Names))
	for _, name := range q.Names {
		member, err := r.readMember(ctx, types.NamespacedName{Namespace: session.Namespace, Name: name}, q.Fresh)
		if err != nil {
			return plan.Unknown[map[string]*v1alpha1.DebugSession](fmt.Errorf("session %q: %w", name, err))
		}
		if member != nil {
			members[name] = member
		}
	}
	seen := plan.Found(members)
	if q.Fresh {
		seen = seen.Fresh()
	}
	return seen
}

// readMember reads a member from the cache; if fresh, from the API server if the cache has none. It returns nil if there is none.
func (r *Reconciler) readMember(ctx context.Context, key types.NamespacedName, fresh bool) (*v1alpha1.DebugSession, error) {
	member := &v1alpha1.DebugSession{}
	err := r.Client.Get(ctx, key, member)
	if apierrors.IsNotFound(err) && fresh {
		err = r.Live.Get(ctx, key, member)
	}
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return r.states.peek(member), nil
}

// createMember makes a member of the session, or finds the one that an earlier try has made. Another session of its name is left alone.
func (r *Reconciler) createMember(ctx context.Context, session *v1alpha1.DebugSession, a plan.CreateMember) plan.Result {
	there := &v1alpha1.DebugSession{}
	return r.createOnce(ctx, a, a.Session.DeepCopy(), there, func() *plan.Refusal {
		if plan.IsMemberOf(there, session) {
			return nil
		}
		return plan.MemberNameTaken(there.Name)
	})
}

// memberPause is how long a session waits for more news of its members: many of them move at once, and not each move is worth a write.
const memberPause = 200 * time.Millisecond

// relatives enqueues the session of a member that has changed, and the members of a session that has moved on.
func relatives() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { enqueueParent(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			enqueueParent(e.ObjectNew, q)
			if movedOn(e.ObjectOld.(*v1alpha1.DebugSession), e.ObjectNew.(*v1alpha1.DebugSession)) {
				enqueueMembers(e.ObjectOld, q)
				enqueueMembers(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			enqueueParent(e.Object, q)
			enqueueMembers(e.Object, q)
		},
	}
}

// movedOn reports whether a session has changed in what matters to its members.
func movedOn(before, after *v1alpha1.DebugSession) bool {
	if len(after.Status.Members) != len(before.Status.Members) || before.Status.Phase != after.Status.Phase ||
		!before.Status.ExpiresAt.Equal(after.Status.ExpiresAt) || plan.MemberTTL(before) != plan.MemberTTL(after) ||
		plan.ApprovalUnknown(before) != plan.ApprovalUnknown(after) {
		return true
	}
	for i := range after.Status.Members {
		if before.Status.Members[i].UID != after.Status.Members[i].UID {
			return true
		}
	}
	return false
}

func enqueueParent(member client.Object, q workqueue.TypedRateLimitingInterface[ctrl.Request]) {
	if of := member.(*v1alpha1.DebugSession).Spec.MemberOf; of != nil {
		q.AddAfter(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: member.GetNamespace(), Name: of.Name}}, memberPause)
	}
}

// enqueueMembers enqueues those that have not ended.
func enqueueMembers(parent client.Object, q workqueue.TypedRateLimitingInterface[ctrl.Request]) {
	for _, row := range parent.(*v1alpha1.DebugSession).Status.Members {
		if row.Phase != v1alpha1.PhaseEnded {
			q.Add(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: parent.GetNamespace(), Name: row.Name}})
		}
	}
}
