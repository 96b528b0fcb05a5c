package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	restclient "k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// life is every request that the operator made for one session from its creation until it had expired and was let go.
type life struct {
	script
	expires time.Time
	// They begin with the writes until it was active. ends is where those of its end begin, and tidies where it has ended.
	ends, tidies int
}

// soon is how long a recorded session lasts. A ttl cannot be shorter.
const soon = 15 * time.Second

func recordLife(ctx context.Context, b *bench, mode v1alpha1.Mode) (*life, error) {
	names := map[v1alpha1.Mode][2]string{ // as long as the names of those that are played
		v1alpha1.ModeEphemeralContainer: {"recording-two", "target-01"}, v1alpha1.ModePodCopy: {"recording-six", "target-02"},
	}[mode]
	l := &life{expires: time.Now().Add(soon).Truncate(time.Second)}
	l.pod, l.session = newPod(recordedNamespace, names[1]), newSession(recordedNamespace, names[0], names[1])
	if mode == v1alpha1.ModePodCopy {
		l.session = asCopy(l.session)
	}
	l.session.Spec.NotAfter = ptr.To(metav1.NewTime(l.expires))
	began, sessions, err := serve(ctx, b, l.session, l.pod)
	if err != nil {
		return nil, err
	}
	defer sessions.stop()
	if _, err := sessions.await(ctx, stands{l.session.Name, letGo}); err != nil {
		return nil, err
	}
	if err := rest(ctx, lateness); err != nil { // for the events
		return nil, err
	}
	if l.writes, err = recorded(b, began, func(r *request) bool { return r.changes() || l.looksBack(r) }); err != nil {
		return nil, err
	}
	if err := b.cluster.client.Get(ctx, client.ObjectKeyFromObject(l.session), l.session); err != nil {
		return nil, err
	}
	return l, l.divide()
}

// looksBack is what is read for the end of a session.
func (l *life) looksBack(r *request) bool {
	return r.Verb == "get" && !r.RequestReceivedTimestamp.Before(l.expires)
}

// divide finds where the end begins, and where the session has ended: with the last write of its status.
func (l *life) divide() error {
	for i := range l.writes {
		r := &l.writes[i]
		if l.ends == 0 && !r.RequestReceivedTimestamp.Before(l.expires) {
			l.ends = i
		}
		if r.what() == "patch debugsessions/status" {
			l.tidies = i + 1
		}
	}
	if l.ends == 0 || l.tidies <= l.ends {
		return fmt.Errorf("session %s has no end among its %d requests", l.session.Name, len(l.writes))
	}
	return nil
}

// as is another session in the place of the recorded one, which expires at another time.
func (l *life) as(session *v1alpha1.DebugSession, pod *corev1.Pod) *part {
	expires := session.Spec.NotAfter.Time
	it := l.part(session, pod,
		strconv.FormatInt(l.expires.Unix(), 10), strconv.FormatInt(expires.Unix(), 10),
		l.expires.UTC().Format(time.RFC3339), expires.UTC().Format(time.RFC3339))
	it.copied = l.session.Status.Debugger.PodUID
	return it
}

// measureRawExpiry has a client end sessions that makes the same requests as the operator, without looking at anything: what
// the API server could do on this machine. Half of them are copies.
func measureRawExpiry(ctx context.Context, b *bench, lives [2]*life, n int) (*ends, error) {
	const namespace = "rawexpiry"
	if err := b.operator.standBy(ctx); err != nil {
		return nil, err
	}
	if err := makeNamespace(ctx, b.cluster.client, namespace, nil); err != nil {
		return nil, err
	}
	pods, err := makePods(ctx, b.cluster.client, namespace, n)
	if err != nil {
		return nil, err
	}
	sender, err := newSender(b.cluster)
	if err != nil {
		return nil, err
	}
	expires := time.Now().Add(time.Duration(n/startRate)*time.Second + 10*time.Second).Truncate(time.Second)
	parts, err := playStarts(ctx, b, sender, lives, pods, expires)
	if err != nil {
		return nil, err
	}
	b.say(fmt.Sprintf("measuring expiry: the raw client ends %d sessions in %.0f s", n, time.Until(expires).Seconds()))
	if err := rest(ctx, time.Until(expires)); err != nil {
		return nil, err
	}
	before, err := readProcessorTime()
	if err != nil {
		return nil, err
	}
	late := make([]time.Duration, n)
	if err := inParallel(ctx, n, func(ctx context.Context, i int) error {
		l := lives[i%2]
		err := parts[i].play(ctx, sender, l.writes[l.ends:l.tidies])
		late[i] = time.Since(expires)
		return err
	}); err != nil {
		return nil, err
	}
	after, err := readProcessorTime()
	if err != nil {
		return nil, err
	}
	if err := inParallel(ctx, n, func(ctx context.Context, i int) error {
		l := lives[i%2]
		return parts[i].play(ctx, sender, l.writes[l.tidies:])
	}); err != nil {
		return nil, err
	}
	if err := nothingLeft(ctx, b, namespace); err != nil {
		return nil, err
	}
	return endsOf(late, after.since(before, n)), wipe(ctx, b, namespace)
}

// playStarts makes a session active on each pod, as the operator did.
func playStarts(ctx context.Context, b *bench, sender *restclient.RESTClient, lives [2]*life, pods []*corev1.Pod, expires time.Time) ([]*part, error) {
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return nil, err
	}
	parts := make([]*part, len(pods))
	return parts, inParallel(ctx, len(pods), func(ctx context.Context, i int) error {
		l := lives[i%2]
		session := newSession(pods[i].Namespace, sessionName(i), pods[i].Name)
		if i%2 == 1 {
			session = asCopy(session)
		}
		session.Spec.NotAfter = ptr.To(metav1.NewTime(expires))
		if err := requester.Create(ctx, session); err != nil {
			return err
		}
		parts[i] = l.as(session, pods[i])
		return parts[i].play(ctx, sender, l.writes[:l.ends])
	})
}

// nothingLeft makes sure that the raw client has done all that the operator does, and the node what it was asked for.
func nothingLeft(ctx context.Context, b *bench, namespace string) error {
	return await(ctx, "nothing to be left of the raw client's sessions", 30*time.Second, func() (bool, error) {
		left, err := leftovers(ctx, b, namespace)
		if err == nil && sum(left) > 0 {
			err = fmt.Errorf("there are %v", left)
		}
		return err == nil, err
	})
}
