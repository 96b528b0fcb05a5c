package podwatch

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// expected is inBubble with n pods, and a session for each, named as its pod.
func expected(t *testing.T, n int, test func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, all map[types.NamespacedName]types.NamespacedName)) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		all := map[types.NamespacedName]types.NamespacedName{}
		server.do(func(s *fakeAPIServer) {
			s.pods = map[string]*corev1.Pod{}
			for i := range n {
				s.pods[named(i).Name] = podNamed(i, "1")
				all[named(i)] = named(i)
			}
		})
		test(t, server, w, told, all)
	})
}

// expectToldOnce is of how many sessions have been told, each once.
func expectToldOnce(t *testing.T, told *notices, want int) {
	t.Helper()
	got := told.take()
	once := map[string]bool{}
	for _, session := range got {
		once[session] = true
	}
	if len(got) != want || len(once) != want {
		t.Fatalf("told %d times of %d sessions, want each of %d once", len(got), len(once), want)
	}
}

func TestAGroupTellsOfThoseThatWereExpected(t *testing.T) {
	const all = 500
	expected(t, all, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, pods map[types.NamespacedName]types.NamespacedName) {
		w.Expect(pods)
		expectUnknown(t, w, named(1), named(1)) // as its session comes to be looked at
		expectStreams(t, server, 1)
		expectToldOnce(t, told, all)
		if asked := server.requests(); len(asked) != 1 || asked[0].Has("fieldSelector") || asked[0].Get("resourceVersion") != latest {
			t.Errorf("asked %v, want one request for the latest of all pods", asked)
		}
		expectPod(t, w, named(1), named(1), types.UID(named(1).Name), "1")
		expectPod(t, w, alice, named(1), types.UID(named(1).Name), "1") // and another
		server.put(named(2).Name, podNamed(2, "2"))
		expectTold(t, told, named(2).Name)

		passes(2 * heldFor)
		expectTold(t, told)
		if asked := server.requests(); len(asked) != 0 {
			t.Errorf("asked %d times more for those that a group tells of", len(asked))
		}
		w.Release(alice)
		for i := range all {
			w.Release(named(i))
		}
		expectNothing(t, server, w)
	})
}

// The pods of a cluster's sessions are known before the Watcher is started, or right after.
func TestPodsMayBeExpectedBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeAPIServer(t)
		server.do(func(s *fakeAPIServer) { s.pods = map[string]*corev1.Pod{} })
		w, told := server.watcher(t)
		pods := map[types.NamespacedName]types.NamespacedName{}
		for i := range groupFrom {
			pods[named(i)] = named(i)
		}
		w.Expect(pods)
		expectUnknown(t, w, bob, named(groupFrom)) // who goes again
		w.Release(bob)
		expectUnknown(t, w, alice, named(groupFrom)) // who starts
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Start(ctx) }()
		synctest.Wait()
		expectToldOnce(t, told, groupFrom+1)
		for _, query := range server.requests() {
			if name := nameIn(query); name != "" && name != named(groupFrom).Name {
				t.Errorf("asked for %s alone", name)
			}
		}
		expectAbsent(t, w, named(1), named(1))
		stop()
		if err := <-ended; err != nil {
			t.Error("Start:", err)
		}
	})
}

func TestFewThatWereExpectedHaveStreamsOfTheirOwn(t *testing.T) {
	expected(t, groupFrom-1, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, pods map[types.NamespacedName]types.NamespacedName) {
		w.Expect(pods)
		expectStreams(t, server, groupFrom-1)
		expectToldOnce(t, told, groupFrom-1)
		for _, query := range server.requests() {
			if nameIn(query) == "" {
				t.Errorf("asked for all pods: %v", query)
			}
		}
	})
}

// What a session has asked for is not expected any more.
func TestWhoHasAskedBeforeIsNotHeld(t *testing.T) {
	expected(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, pods map[types.NamespacedName]types.NamespacedName) {
		expectUnknown(t, w, named(0), named(5))
		expectUnknown(t, w, alice, named(1))
		w.Expect(pods)
		expectStreams(t, server, groupFrom-1)
		told.take()
		expectPod(t, w, named(0), named(5), types.UID(named(5).Name), "1")
		expectPod(t, w, alice, named(1), types.UID(named(1).Name), "1")
		expectPod(t, w, named(1), named(1), types.UID(named(1).Name), "1")
	})
}

// What a group cannot tell in time, streams of their own do.
func TestNobodyIsHeldForLong(t *testing.T) {
	large := stranger(groupFrom * othersPerMember)
	for name, test := range map[string]struct {
		hinder func(*fakeAPIServer) http.HandlerFunc // what is asked for all pods is answered by what it returns, or not at all
		within time.Duration
	}{
		"no answer": {func(*fakeAPIServer) http.HandlerFunc { return nil }, heldFor},
		"no streaming lists": {func(*fakeAPIServer) http.HandlerFunc {
			return refuse(metav1.Status{Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid})
		}, 0},
		"refused": {func(*fakeAPIServer) http.HandlerFunc { return refuse(forbidden) }, 3 * retryFirst},
		"too much of others": {func(s *fakeAPIServer) http.HandlerFunc {
			s.pods["stranger"] = large
			return s.stream
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			expected(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, pods map[types.NamespacedName]types.NamespacedName) {
				server.do(func(s *fakeAPIServer) {
					all := test.hinder(s)
					s.instead = func(rw http.ResponseWriter, r *http.Request) {
						switch {
						case nameIn(r.URL.Query()) != "":
							s.stream(rw, r)
						case all != nil:
							all(rw, r)
						default:
							<-r.Context().Done()
						}
					}
				})
				w.Expect(pods)
				passes(test.within)
				expectToldOnce(t, told, groupFrom)
				expectPod(t, w, named(1), named(1), types.UID(named(1).Name), "1")
			})
		})
	}
}

func TestOneThatIsHeldMayBeReleased(t *testing.T) {
	expected(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, pods map[types.NamespacedName]types.NamespacedName) {
		holds := make(chan struct{})
		server.do(func(s *fakeAPIServer) { s.holds = holds })
		w.Expect(pods)
		w.Release(named(0))
		passes(heldFor)
		expectToldOnce(t, told, groupFrom-1)
		expectStreams(t, server, 1+groupFrom-1)
		close(holds)
		for i := range groupFrom {
			w.Release(named(i))
		}
		expectNothing(t, server, w)
	})
}

// Who starts or ends in a pod that is held does not wait with those that only run.
func TestWhoComesToAPodThatIsHeldDoesNotWait(t *testing.T) {
	for name, ask := range map[string]func(*testing.T, *Watcher, map[types.NamespacedName]types.NamespacedName){
		"asks before": func(t *testing.T, w *Watcher, pods map[types.NamespacedName]types.NamespacedName) {
			expectUnknown(t, w, alice, named(1))
			w.Expect(pods)
		},
		"asks after": func(t *testing.T, w *Watcher, pods map[types.NamespacedName]types.NamespacedName) {
			w.Expect(pods)
			expectUnknown(t, w, alice, named(1))
		},
	} {
		for _, early := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, early %v", name, early), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := newFakeAPIServer(t)
					holds := make(chan struct{})
					goesOn := sync.OnceFunc(func() { close(holds) })
					defer goesOn()
					server.do(func(s *fakeAPIServer) { s.pods, s.holds = map[string]*corev1.Pod{}, holds })
					w, _ := server.watcher(t)
					pods := map[types.NamespacedName]types.NamespacedName{}
					for i := range groupFrom + 1 {
						pods[named(i)] = named(i)
						server.pods[named(i).Name] = podNamed(i, "1")
					}
					ctx, stop := context.WithCancel(t.Context())
					ended := make(chan error, 1)
					start := func() {
						go func() { ended <- w.Start(ctx) }()
						synctest.Wait()
					}
					if early {
						ask(t, w, pods)
						start()
					} else {
						start()
						ask(t, w, pods)
						synctest.Wait()
					}
					expectPod(t, w, alice, named(1), types.UID(named(1).Name), "1")
					expectStreams(t, server, 1+1)
					expectUnknown(t, w, named(2), named(2))
					goesOn()
					expectStreams(t, server, 1)
					expectPod(t, w, named(2), named(2), types.UID(named(2).Name), "1")
					stop()
					if err := <-ended; err != nil {
						t.Error("Start:", err)
					}
				})
			})
		}
	}
}

// An operator may be told to stop as it comes to lead.
func TestNothingIsExpectedOnceItHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newFakeAPIServer(t)
		w, _ := server.watcher(t)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := w.Start(ctx); err != nil {
			t.Fatal("Start:", err)
		}
		pods := map[types.NamespacedName]types.NamespacedName{}
		for i := range groupFrom {
			pods[named(i)] = named(i)
		}
		w.Expect(pods)
		w.mu.Lock() // before a goroutine that it has begun may have ended
		begun := len(w.crowds)
		w.mu.Unlock()
		if begun != 0 || len(w.watches) != 0 {
			t.Errorf("%d groups and %d watches after the end", begun, len(w.watches))
		}
	})
}

func TestWhoHurriesIsNotHeld(t *testing.T) {
	expected(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, pods map[types.NamespacedName]types.NamespacedName) {
		holds := make(chan struct{})
		defer close(holds)
		server.do(func(s *fakeAPIServer) { s.holds = holds })
		w.Expect(pods)
		expectUnknown(t, w, named(1), named(1))
		for range 2 {
			w.Hurry(named(1))
			w.Hurry(alice) // who waits for nothing
			expectStreams(t, server, 1+1)
		}
		expectTold(t, told, named(1).Name)
		expectPod(t, w, named(1), named(1), types.UID(named(1).Name), "1")
	})
}

// Those that were held for too long do not have it bring all that it has brought once more.
func TestAGroupThatIsSlowIsNotBegunAnew(t *testing.T) {
	expected(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices, pods map[types.NamespacedName]types.NamespacedName) {
		server.do(func(s *fakeAPIServer) {
			s.instead = func(rw http.ResponseWriter, r *http.Request) {
				if nameIn(r.URL.Query()) != "" {
					s.stream(rw, r)
					return
				}
				rw.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
				for i := range groupFrom {
					write(rw, event{watch.Added, podNamed(i, "1")})
					select {
					case <-time.After(45 * time.Second / groupFrom):
					case <-r.Context().Done():
						return
					}
				}
				write(rw, endOfInitialEvents())
				<-r.Context().Done()
			}
		})
		w.Expect(pods)
		passes(100 * time.Second)
		if n := ofNamespace(server.requests()); n != 1 {
			t.Errorf("%d requests for the pods of the namespace, want one", n)
		}
		expectStreams(t, server, 0) // but that of all
		expectToldOnce(t, told, groupFrom)
	})
}
