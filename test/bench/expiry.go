package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	expiryNamespace = "expiry"
	// startRate is how many sessions a second are surely active: until all are, none may expire.
	startRate = 15
	// endWithin is when the sessions that have not ended yet are given up.
	endWithin = 3 * time.Minute
	// rawShare is how many times as many sessions expire as the raw client ends.
	rawShare = 4
)

// letGo is told of a session that has ended and whose finalizer is gone: nothing of it is left to do.
const letGo v1alpha1.Phase = "let go"

// measureExpiry has many sessions expire in the same second, half of them copies and some of those cut off from the network,
// and times each from then until a watch brings that it has ended. Then it looks for what they have left behind, and has a
// client end a part as many that looks at nothing.
func measureExpiry(ctx context.Context, b *bench) error {
	var lives [2]*life
	for i, mode := range []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer, v1alpha1.ModePodCopy} {
		var err error
		if lives[i], err = recordLife(ctx, b, mode); err != nil {
			return fmt.Errorf("recording the requests for a session: %w", err)
		}
	}
	result, err := operatorExpiry(ctx, b)
	if err != nil {
		return err
	}
	b.result.Expiry = result
	if result.Raw, err = measureRawExpiry(ctx, b, lives, max(b.flags.expiring/rawShare, 2*workers)); err != nil {
		return fmt.Errorf("the raw client: %w", err)
	}
	result.RatioToRaw = result.PerSecond / result.Raw.PerSecond
	return b.operator.lead(ctx)
}

func operatorExpiry(ctx context.Context, b *bench) (*expiry, error) {
	if err := makeNamespace(ctx, b.cluster.client, expiryNamespace, nil); err != nil {
		return nil, err
	}
	n := b.flags.expiring
	if _, err := makePods(ctx, b.cluster.client, expiryNamespace, n); err != nil {
		return nil, err
	}
	sessions, err := followSessions(ctx, b.cluster, expiryNamespace)
	if err != nil {
		return nil, err
	}
	defer sessions.stop()
	expires := expiryOf(n)
	if err := activateUntil(ctx, b, expiryNamespace, sessions, n, expires); err != nil {
		return nil, err
	}
	b.say(fmt.Sprintf("measuring expiry: %d sessions are active, and expire in %.0f s", n, time.Until(expires).Seconds()))
	if err := rest(ctx, time.Until(expires)); err != nil {
		return nil, err
	}
	result, err := awaitEnds(ctx, b, sessions, n, expires)
	if err != nil {
		return nil, err
	}
	if err := b.operator.stop(); err != nil {
		return nil, err
	}
	return result, wipe(ctx, b, expiryNamespace)
}

// expiryOf is when so many sessions expire that are started now.
func expiryOf(n int) time.Time {
	return time.Now().Add(time.Duration(n/startRate)*time.Second + 10*time.Second).Truncate(time.Second)
}

// awaitEnds times each session from when it expires until it has ended, counts what the operator asked for that and what
// processor time it took whom, and looks for what is left when it has tidied up.
func awaitEnds(ctx context.Context, b *bench, sessions *follower[stands], n int, expires time.Time) (*expiry, error) {
	before, err := readProcessorTime()
	if err != nil {
		return nil, err
	}
	mark, err := b.cluster.audit.mark()
	if err != nil {
		return nil, err
	}
	late, err := lateOf(ctx, sessions, n, v1alpha1.PhaseEnded, expires)
	if err != nil {
		return nil, err
	}
	after, err := readProcessorTime()
	if err != nil {
		return nil, err
	}
	tidied, err := lateOf(ctx, sessions, n, letGo, expires)
	if err != nil {
		return nil, err
	}
	if err := rest(ctx, lateness); err != nil { // for the events
		return nil, err
	}
	requests, err := countFrom(b, mark, expires, n)
	if err != nil {
		return nil, err
	}
	left, err := leftovers(ctx, b, expiryNamespace)
	result := &expiry{ends: endsOf(late, after.since(before, n)), Left: left, Requests: requests}
	result.Tidied = milliseconds(slices.Max(tidied))
	return result, err
}

// lateOf is how long after they expire the sessions stand so.
func lateOf(ctx context.Context, sessions *follower[stands], n int, phase v1alpha1.Phase, expires time.Time) ([]time.Duration, error) {
	late := make([]time.Duration, n)
	return late, inParallel(ctx, n, func(ctx context.Context, i int) error {
		at, err := sessions.awaitWithin(ctx, endWithin, stands{sessionName(i), phase})
		late[i] = at.Sub(expires)
		return err
	})
}

// activateUntil starts sessions that all end at the same time, and returns when all are active.
func activateUntil(ctx context.Context, b *bench, namespace string, sessions *follower[stands], n int, expires time.Time) error {
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return err
	}
	if err := inParallel(ctx, n, func(ctx context.Context, i int) error {
		session := newSession(namespace, sessionName(i), fmt.Sprintf("pod-%05d", i))
		if i%2 == 1 {
			session = asCopy(session)
			session.Spec.PodCopy.Isolate = i%10 == 1
		}
		session.Spec.NotAfter = ptr.To(metav1.NewTime(expires))
		return requester.Create(ctx, session)
	}); err != nil {
		return err
	}
	if err := inParallel(ctx, n, func(ctx context.Context, i int) error {
		_, err := sessions.awaitWithin(ctx, time.Until(expires), stands{sessionName(i), v1alpha1.PhaseActive})
		return err
	}); err != nil {
		return fmt.Errorf("this machine does not start %d sessions a second: %w", startRate, err)
	}
	return nil
}

// leftovers counts what a session has made and should have taken away: copies, debuggers that run, access, policies, and
// the hold on the session itself.
func leftovers(ctx context.Context, b *bench, namespace string) (map[string]int, error) {
	left := map[string]int{}
	made := client.HasLabels{v1alpha1.LabelSessionUID}
	for what, list := range map[string]client.ObjectList{
		"copies": &corev1.PodList{}, "roles": &rbacv1.RoleList{}, "role bindings": &rbacv1.RoleBindingList{},
		"network policies": &networkingv1.NetworkPolicyList{},
	} {
		if err := b.cluster.client.List(ctx, list, client.InNamespace(namespace), made); err != nil {
			return nil, err
		}
		left[what] = meta.LenList(list)
	}
	pods, sessions := &corev1.PodList{}, &v1alpha1.DebugSessionList{}
	for _, list := range []client.ObjectList{pods, sessions} {
		if err := b.cluster.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
	}
	for i := range pods.Items {
		for j := range pods.Items[i].Status.EphemeralContainerStatuses {
			if pods.Items[i].Status.EphemeralContainerStatuses[j].State.Running != nil {
				left["debuggers"]++
			}
		}
	}
	for i := range sessions.Items {
		if len(sessions.Items[i].Finalizers) > 0 {
			left["finalizers"]++
		}
	}
	return left, nil
}
