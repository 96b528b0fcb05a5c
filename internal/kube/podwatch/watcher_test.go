package podwatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

var (
	alice    = types.NamespacedName{Namespace: "shop", Name: "alice"}
	bob      = types.NamespacedName{Namespace: "shop", Name: "bob"}
	checkout = types.NamespacedName{Namespace: "shop", Name: "checkout"}
	cart     = types.NamespacedName{Namespace: "shop", Name: "cart"}
)

// expectUnknown, expectAbsent, expectPod and expectError ask for a pod and say what must come.
func expectUnknown(t *testing.T, w *Watcher, session, pod types.NamespacedName) {
	t.Helper()
	if p, known, err := w.Get(session, pod); p != nil || known || err != nil {
		t.Fatalf("got %v, known %v, %v; want nothing known yet", p, known, err)
	}
}

func expectAbsent(t *testing.T, w *Watcher, session, pod types.NamespacedName) {
	t.Helper()
	if p, known, err := w.Get(session, pod); p != nil || !known || err != nil {
		t.Fatalf("got %v, known %v, %v; want it known that there is no such pod", p, known, err)
	}
}

func expectPod(t *testing.T, w *Watcher, session, pod types.NamespacedName, uid types.UID, resourceVersion string) *corev1.Pod {
	t.Helper()
	p, known, err := w.Get(session, pod)
	if p == nil || !known || err != nil {
		t.Fatalf("got %v, known %v, %v; want a pod", p, known, err)
	}
	if p.UID != uid || p.ResourceVersion != resourceVersion {
		t.Fatalf("got the pod with UID %s as of %s, want %s as of %s", p.UID, p.ResourceVersion, uid, resourceVersion)
	}
	return p
}

func expectError(t *testing.T, w *Watcher, session, pod types.NamespacedName) error {
	t.Helper()
	p, known, err := w.Get(session, pod)
	if p != nil || known || err == nil {
		t.Fatalf("got %v, known %v, %v; want an error and nothing else", p, known, err)
	}
	return err
}

func expectTold(t *testing.T, told *notices, want ...string) {
	t.Helper()
	if got := told.take(); !slices.Equal(got, want) {
		t.Fatalf("told %v, want %v", got, want)
	}
}

func TestAPodIsKnownAfterOneRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		pod := newPod("a", "1")
		pod.Labels = map[string]string{"app": "checkout"}
		pod.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}", "note": "kept"}
		pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
		server.set(pod)

		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		got := expectPod(t, w, alice, checkout, "a", "1")
		if got.ManagedFields != nil || len(got.Annotations) != 1 || got.Annotations["note"] != "kept" || got.Labels["app"] != "checkout" {
			t.Errorf("got %+v, want it without managedFields and kubectl's annotation, and with all else", got.ObjectMeta)
		}
		asked := server.requests()
		if len(asked) != 1 {
			t.Fatalf("%d requests, want one: %v", len(asked), asked)
		}
		for key, want := range map[string]string{
			"watch": "true", "fieldSelector": "metadata.name=checkout", "sendInitialEvents": "true",
			"resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true", "resourceVersion": "0",
		} {
			if got := asked[0].Get(key); got != want {
				t.Errorf("asked with %s=%q, want %q", key, got, want)
			}
		}
	})
}

// An API server may not have heard yet of what was made just now.
func TestThatThereIsNoPodIsMadeSureOf(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) { s.pod, s.behind = newPod("a", "1"), true })
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "a", "1")
		if asked := server.requests(); len(asked) != 2 || asked[1].Get("resourceVersion") != latest {
			t.Errorf("asked %v, want a second request, for the latest", asked)
		}
	})
}

// What an API server has at hand may be of a pod that has gone, and its end come after that of which it has not heard yet was made.
func TestThatAPodHasGoneIsMadeSureOf(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		gone := newPod("a", "1")
		server.set(gone)
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		server.do(func(s *fakeAPIServer) { s.pod = newPod("b", "3") })
		server.send(event{watch.Deleted, gone})
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "b", "3")
		if asked := server.requests(); len(asked) != 2 || asked[1].Get("resourceVersion") != latest {
			t.Errorf("asked %v, want a second request, for the latest", asked)
		}
	})
}

func TestAPodComesChangesGoesAndComesAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		expectAbsent(t, w, alice, checkout)

		server.set(newPod("a", "1"))
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "a", "1")

		server.set(newPod("a", "2"))
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "a", "2")

		server.send(endOfInitialEvents()) // a bookmark, which is no news
		expectTold(t, told)

		server.set(nil)
		expectTold(t, told, "alice")
		expectAbsent(t, w, alice, checkout)

		server.set(newPod("b", "4"))
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "b", "4")

		if asked := server.requests(); len(asked) != 2 {
			t.Errorf("%d requests, want two: that there was none at first was made sure of", len(asked))
		}
	})
}

func TestSessionsShareAPodsWatchAndTheLastStopsIt(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.set(newPod("a", "1"))
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		first := expectPod(t, w, alice, checkout, "a", "1")
		first.Spec.NodeName = "changed"
		if second := expectPod(t, w, bob, checkout, "a", "1"); second.Spec.NodeName != "" {
			t.Error("two sessions got the same copy of one pod")
		}
		server.set(newPod("a", "2"))
		expectTold(t, told, "alice", "bob")
		if n := w.Len(); n != 1 {
			t.Errorf("%d watches, want one", n)
		}

		w.Release(alice)
		w.Release(alice)
		server.set(newPod("a", "3"))
		expectTold(t, told, "bob")
		expectPod(t, w, bob, checkout, "a", "3")

		w.Release(bob)
		w.Release(types.NamespacedName{Name: "stranger"})
		synctest.Wait()
		if n, open := w.Len(), server.open(); n != 0 || open != 0 {
			t.Errorf("%d watches and %d streams, want none", n, open)
		}
		expectTold(t, told)
		if asked := server.requests(); len(asked) != 1 {
			t.Errorf("%d requests, want one", len(asked))
		}

		expectUnknown(t, w, alice, checkout) // nothing is left of what was known
		synctest.Wait()
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "a", "3")
	})
}

func TestAskingForAnotherPodReleasesTheFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		expectAbsent(t, w, bob, checkout)
		expectUnknown(t, w, alice, cart)
		synctest.Wait()
		expectAbsent(t, w, bob, cart)
		synctest.Wait()
		if n, open := w.Len(), server.open(); n != 1 || open != 1 {
			t.Errorf("%d watches and %d streams, want one: the first pod's should have stopped", n, open)
		}
		asked := server.requests()
		if got := asked[len(asked)-1].Get("fieldSelector"); len(asked) != 4 || got != "metadata.name=cart" {
			t.Errorf("%d requests, the last for %s; want 4, as there is neither, the last for cart", len(asked), got)
		}
	})
}

// Sessions that wait for one of the pods of the same labels to crash have one watch together.
func TestThePodsOfASelectorAreWatchedTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		expect := func(session types.NamespacedName, want ...string) {
			t.Helper()
			pods, known, err := w.List(session, "shop", "app=shop")
			if !known || err != nil {
				t.Fatalf("known %v, %v", known, err)
			}
			var got []string
			for i := range pods {
				got = append(got, pods[i].Name+"@"+pods[i].ResourceVersion)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("got the pods %v, want %v", got, want)
			}
		}
		another := newPod("b", "4")
		another.Name = "cart"

		server.set(newPod("a", "1"))
		if pods, known, err := w.List(alice, "shop", "app=shop"); len(pods) != 0 || known || err != nil {
			t.Fatalf("got %v, known %v, %v; want nothing known yet", pods, known, err)
		}
		synctest.Wait()
		expectTold(t, told, "alice")
		expect(alice, "checkout@1")
		expect(bob, "checkout@1")
		asked := server.requests()
		if len(asked) != 1 || asked[0].Get("labelSelector") != "app=shop" || asked[0].Has("fieldSelector") {
			t.Errorf("asked %v, want one request for the pods of those labels", asked)
		}

		server.send(event{watch.Added, another})
		expectTold(t, told, "alice", "bob")
		expect(alice, "cart@4", "checkout@1")
		server.set(newPod("a", "5"))
		expectTold(t, told, "alice", "bob")
		expect(bob, "cart@4", "checkout@5")
		server.send(event{watch.Deleted, another})
		expectTold(t, told, "alice", "bob")
		expect(alice, "checkout@5")

		expectUnknown(t, w, alice, checkout) // once one of them has crashed, it is that one's that counts
		synctest.Wait()
		expectTold(t, told, "alice")
		if n := w.Len(); n != 2 {
			t.Errorf("%d watches, want two: of the pod, and of the selector for bob", n)
		}
		w.Release(alice)
		w.Release(bob)
		synctest.Wait()
		if n, open := w.Len(), server.open(); n != 0 || open != 0 {
			t.Errorf("%d watches and %d streams, want none", n, open)
		}
	})
}

func TestAWatcherMayBeAskedBeforeItIsStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeAPIServer(t)
		w, told := server.watcher(t)
		if !w.NeedLeaderElection() {
			t.Error("it would watch without being the leader")
		}
		expectUnknown(t, w, alice, checkout)
		expectUnknown(t, w, bob, cart)
		w.Release(bob)
		synctest.Wait()
		if n, asked := len(w.watches), server.requests(); n != 1 || len(asked) != 0 {
			t.Errorf("%d watches and %d requests, want one and none", n, len(asked))
		}

		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Start(ctx) }()
		synctest.Wait()
		expectTold(t, told, "alice")
		expectAbsent(t, w, alice, checkout)
		if err := w.Start(ctx); err == nil {
			t.Error("it could be started twice")
		}

		stop()
		if err := <-ended; err != nil {
			t.Error("Start:", err)
		}
		for session, pod := range map[types.NamespacedName]types.NamespacedName{alice: checkout, bob: cart} {
			if err := expectError(t, w, session, pod); !errors.Is(err, errStopped) {
				t.Errorf("got the error %v", err)
			}
		}
		w.Release(alice)
		if n := w.Len(); n != 0 {
			t.Errorf("%d watches after the end", n)
		}
	})
}

func TestStartReturnsOnlyWhenEveryWatchHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeAPIServer(t)
		w, _ := server.watcher(t)
		busy := make(chan struct{})
		w.notify = func(types.NamespacedName) { <-busy }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Start(ctx) }()
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()

		stop()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Error("Start returned while a watch was still telling its session:", err)
		default:
		}
		close(busy)
		if err := <-ended; err != nil {
			t.Error("Start:", err)
		}
	})
}

// Many sessions come and go at once while their pods change, and while the Watcher ends under them. The race detector and
// the bubble, which no goroutine may outlive, are the judges.
func TestSessionsComeAndGoAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.set(newPod("a", "1"))
		var sessions sync.WaitGroup
		for i := range 16 {
			session := types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("session-", i)}
			sessions.Go(func() {
				for range 100 {
					pod := types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("pod-", rand.N(4))}
					if _, _, err := w.Get(session, pod); err != nil {
						t.Error(err)
					}
					if rand.N(3) == 0 {
						w.Release(session)
					}
				}
				if i%2 == 0 {
					w.Release(session)
				}
			})
		}
		sessions.Wait()
		synctest.Wait()
		watched := map[selection]bool{}
		for i := range 16 {
			session := types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("session-", i)}
			w.mu.Lock()
			if pw := w.sessions[session]; pw != nil {
				watched[pw.of] = true
			}
			w.mu.Unlock()
		}
		if n, open := w.Len(), server.open(); n != len(watched) || open != len(watched) {
			t.Errorf("%d watches and %d streams for %d pods that sessions are interested in", n, open, len(watched))
		}
	})
}
