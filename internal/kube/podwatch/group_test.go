package podwatch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

func named(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: fmt.Sprintf("pod-%02d", i)}
}

func podNamed(i int, resourceVersion string) *corev1.Pod {
	pod := newPod(types.UID(named(i).Name), resourceVersion)
	pod.Name = named(i).Name
	return pod
}

// stranger is a pod that nobody debugs, of that size.
func stranger(size int) *corev1.Pod {
	pod := newPod("stranger", "1")
	pod.Name = "stranger"
	pod.Annotations = map[string]string{"large": strings.Repeat("x", size)}
	return pod
}

// inCrowd is inBubble with a session for each of n pods, each named as its pod and with a stream of its own.
func inCrowd(t *testing.T, n int, test func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices)) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) { s.pods = map[string]*corev1.Pod{} })
		for i := range n {
			server.put(named(i).Name, podNamed(i, "1"))
			expectUnknown(t, w, named(i), named(i))
		}
		synctest.Wait()
		if got := len(told.take()); got != n {
			t.Fatalf("%d were told, want %d", got, n)
		}
		expectStreams(t, server, n)
		test(t, server, w, told)
	})
}

func expectStreams(t *testing.T, server *fakeAPIServer, want int) {
	t.Helper()
	synctest.Wait()
	if got := server.open(); got != want {
		t.Fatalf("%d streams, want %d", got, want)
	}
}

func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestManyPodsOfANamespaceShareAStream(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.put("stranger", newPod("stranger", "1"))
		server.requests()
		passes(gatherFor)
		expectStreams(t, server, 1)
		expectTold(t, told) // what they knew is how it is
		if asked := server.requests(); len(asked) != 1 || asked[0].Has("fieldSelector") || asked[0].Get("resourceVersion") != latest {
			t.Errorf("asked %v, want one request for the latest of all pods", asked)
		}
		if n := w.Len(); n != groupFrom {
			t.Errorf("%d pods are watched, want %d", n, groupFrom)
		}

		server.put(named(3).Name, podNamed(3, "2"))
		expectTold(t, told, named(3).Name)
		expectPod(t, w, named(3), named(3), types.UID(named(3).Name), "2")
		server.put(named(3).Name, nil)
		expectTold(t, told, named(3).Name)
		expectAbsent(t, w, named(3), named(3))
		server.put(named(3).Name, podNamed(3, "4"))
		expectTold(t, told, named(3).Name)
		expectPod(t, w, named(3), named(3), types.UID(named(3).Name), "4")
		server.put("stranger", nil)
		expectTold(t, told)

		expectPod(t, w, alice, named(3), types.UID(named(3).Name), "4") // another session for what is watched
		expectStreams(t, server, 1)
		expectUnknown(t, w, bob, named(groupFrom)) // and one for what is not
		expectStreams(t, server, 2)
		expectAbsent(t, w, bob, named(groupFrom))
		told.take()
		server.put(named(groupFrom).Name, podNamed(groupFrom, "5"))
		expectTold(t, told, "bob")
	})
}

// A start has all its sessions come at once, and a group takes in all of them.
func TestAGroupIsBegunAnewForThoseThatHaveCome(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		passes(gatherFor)
		expectStreams(t, server, 1)
		for i := groupFrom; i < 2*groupFrom; i++ {
			server.put(named(i).Name, podNamed(i, "1"))
			expectUnknown(t, w, named(i), named(i))
		}
		expectStreams(t, server, 1+groupFrom)
		told.take()
		passes(regatherAfter)
		expectStreams(t, server, 1)
		expectTold(t, told)

		for i := 2 * groupFrom; i < 2*groupFrom+3; i++ { // too few to hurry for
			expectUnknown(t, w, named(i), named(i))
		}
		passes(regatherAfter)
		expectStreams(t, server, 1+3)
		passes(2 * minLifetime)
		expectStreams(t, server, 1)
	})
}

func TestASmallGroupIsNotBegunAnew(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		passes(gatherFor)
		for i := range groupFrom/2 + 1 {
			w.Release(named(i))
		}
		expectStreams(t, server, 1)
		server.requests()
		passes(2 * minLifetime)
		expectStreams(t, server, groupFrom/2-1)
		expectTold(t, told)
		for _, query := range server.requests() {
			if query.Get("resourceVersion") != latest {
				t.Errorf("asked for what is at hand, which may be before what was seen: %v", query)
			}
		}
		last := named(groupFrom - 1)
		server.put(last.Name, podNamed(groupFrom-1, "2"))
		expectTold(t, told, last.Name)

		for i := range groupFrom {
			w.Release(named(i))
		}
		expectNothing(t, server, w)
	})
}

// Sessions that come and go where there are just enough for a group do not have it begin anew each time.
func TestAGroupIsNotBegunAnewForEachThatGoes(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		passes(gatherFor)
		for i := groupFrom / 2; i < groupFrom; i++ {
			w.Release(named(i))
		}
		passes(time.Minute)
		server.requests()
		for i := range 100 {
			if _, _, err := w.Get(named(0), named(100+i%2)); err != nil {
				t.Fatal(err)
			}
			passes(100 * time.Millisecond)
		}
		if n := ofNamespace(server.requests()); n != 0 {
			t.Errorf("%d requests for the pods of the namespace in ten seconds", n)
		}
	})
}

// expectNothing is of when the last session is released.
func expectNothing(t *testing.T, server *fakeAPIServer, w *Watcher) {
	t.Helper()
	expectStreams(t, server, 0)
	if n, crowds := w.Len(), len(w.crowds); n != 0 || crowds != 0 {
		t.Errorf("%d pods are watched, and %d namespaces are remembered", n, crowds)
	}
}

// ofNamespace is how many requests are for the pods of a namespace.
func ofNamespace(asked []url.Values) int {
	n := 0
	for _, query := range asked {
		if nameIn(query) == "" {
			n++
		}
	}
	return n
}

func TestTheLastOneOutEndsTheGroup(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		passes(gatherFor)
		for i := range groupFrom {
			w.Release(named(i))
		}
		expectNothing(t, server, w)
	})
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		for i := range groupFrom { // while it is being called
			w.Release(named(i))
		}
		expectNothing(t, server, w)
	})
}

// The group of a start spares those that are still waiting for their turn.
func TestAGroupDoesNotWaitForTheStreamsThatItReplaces(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) {
			s.pods = map[string]*corev1.Pod{}
			s.instead = func(rw http.ResponseWriter, r *http.Request) {
				if nameIn(r.URL.Query()) == "" {
					s.stream(rw, r)
				}
				<-r.Context().Done()
			}
		})
		const all = 2*atOnce + 50
		for i := range all {
			expectUnknown(t, w, named(i), named(i))
		}
		passes(gatherFor)
		if got := len(told.take()); got != all {
			t.Errorf("%d were told, want all %d", got, all)
		}
		if asked := len(server.requests()); asked > all/2 { // a turn that is given back may be taken before all have changed over
			t.Errorf("asked %d times, want %d and once for all", asked, atOnce)
		}
	})
}

// Nobody is to pay for a namespace's other pods.
func TestAGroupWhoseStreamBringsTooMuchOfOthersIsDissolved(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		large := stranger(groupFrom * othersPerMember / 2)
		server.put("stranger", large)
		passes(gatherFor)
		expectStreams(t, server, 1)

		server.put("stranger", large) // once more is too much
		expectStreams(t, server, groupFrom)
		expectTold(t, told)
		server.put(named(1).Name, podNamed(1, "2"))
		expectTold(t, told, named(1).Name)
		server.put("stranger", nil)

		passes(apartFor / 2)
		expectStreams(t, server, groupFrom)
		passes(apartFor/2 + gatherFor)
		expectStreams(t, server, 1)
		expectTold(t, told)
	})
}

// Those that have come since the stream began are not others: they are the next members.
func TestNewcomersCountForNothing(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		passes(gatherFor)
		for i := groupFrom; i < 2*groupFrom-1; i++ {
			expectUnknown(t, w, named(i), named(i))
			large := podNamed(i, "1")
			large.Annotations = map[string]string{"large": strings.Repeat("x", 4*othersPerMember)}
			server.put(large.Name, large)
		}
		expectStreams(t, server, 1+groupFrom-1)
	})
}

// A call that was made before a group was given up does not begin another.
func TestAGroupThatIsNotWorthItIsLeftAlone(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		passes(gatherFor)
		for i := groupFrom; i < 2*groupFrom; i++ {
			expectUnknown(t, w, named(i), named(i))
		}
		for i := groupFrom; i < 2*groupFrom; i++ {
			w.Release(named(i))
		}
		large := stranger(groupFrom * othersPerMember)
		server.put("stranger", large)
		server.put("stranger", nil)
		server.requests()
		passes(apartFor / 2)
		expectStreams(t, server, groupFrom)
		if n := ofNamespace(server.requests()); n != 0 {
			t.Errorf("%d requests for the pods of the namespace", n)
		}
		passes(apartFor/2 + gatherFor)
		expectStreams(t, server, 1)
	})
}

// So is one that nobody had joined.
func TestAGroupThatWasNotWorthItAtFirstIsTriedAgain(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, _ *Watcher, _ *notices) {
		large := stranger(groupFrom * othersPerMember)
		server.put("stranger", large)
		passes(gatherFor)
		expectStreams(t, server, groupFrom)
		server.put("stranger", nil)
		passes(apartFor + gatherFor)
		expectStreams(t, server, 1)
	})
}

// A call does not have a stream begin anew that has begun since.
func TestAGroupThatHasJustBegunIsNotBegunAnew(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		come := func(from int) {
			for i := from; i < from+groupFrom; i++ {
				expectUnknown(t, w, named(i), named(i))
			}
			synctest.Wait()
		}
		passes(gatherFor)
		come(groupFrom)
		passes(regatherAfter / 2)
		server.ofAll().send(event{closeStream, nil})
		passes(3 * retryFirst)
		expectStreams(t, server, 1)
		come(2 * groupFrom)
		server.requests()
		passes(regatherAfter / 2)
		expectStreams(t, server, 1+groupFrom)
		if n := ofNamespace(server.requests()); n != 0 {
			t.Errorf("%d requests for the pods of the namespace", n)
		}
		passes(regatherAfter)
		expectStreams(t, server, 1)
	})
}

// What is too much for few may be worth it for more.
func TestAGroupIsTriedAgainForTwiceAsMany(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		large := stranger(groupFrom * othersPerMember)
		server.put("stranger", large)
		passes(gatherFor)
		expectStreams(t, server, groupFrom)
		for i := groupFrom; i < 2*groupFrom-1; i++ {
			expectUnknown(t, w, named(i), named(i))
		}
		passes(regatherAfter)
		expectStreams(t, server, 2*groupFrom-1)
		expectUnknown(t, w, named(2*groupFrom), named(2*groupFrom))
		passes(gatherFor)
		expectStreams(t, server, 1)
	})
}

func TestWithoutStreamingListsThereIsNoGroup(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, _ *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) {
			s.instead = refuse(metav1.Status{Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid})
		})
		server.requests()
		passes(time.Minute)
		expectStreams(t, server, groupFrom)
		expectTold(t, told)
		if asked := server.requests(); len(asked) != 1 {
			t.Errorf("asked %d times, want once: %v", len(asked), asked)
		}
	})
}

// A group's stream may be behind a pod's own. What was seen is not to be followed by what was before it.
func TestAPodChangesOverWhenBothKnowTheSame(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		holds := make(chan struct{})
		server.do(func(s *fakeAPIServer) { s.holds = holds })
		passes(gatherFor)
		server.put(named(3).Name, podNamed(3, "2"))
		server.put(named(4).Name, nil)
		expectTold(t, told, named(3).Name, named(4).Name)
		close(holds)
		expectStreams(t, server, 1+2)
		expectTold(t, told)
		expectPod(t, w, named(3), named(3), types.UID(named(3).Name), "2")
		expectAbsent(t, w, named(4), named(4))

		server.ofAll().send(event{watch.Modified, podNamed(3, "2")})
		server.ofAll().send(event{watch.Deleted, podNamed(4, "3")})
		expectStreams(t, server, 1+1)
		expectTold(t, told)
		expectAbsent(t, w, named(4), named(4))
		server.do(func(s *fakeAPIServer) { s.holds = nil })
		passes(2 * minLifetime)
		expectStreams(t, server, 1)
		expectTold(t, told)
		expectAbsent(t, w, named(4), named(4))
	})
}

// That a pod is not there looks the same before it came and after it has gone.
func TestAPodThatCameAndWentIsNotSeenAgain(t *testing.T) {
	for name, goes := range map[string]func(*fakeAPIServer, chan struct{}){
		"before the group knows": func(server *fakeAPIServer, holds chan struct{}) {
			server.put(named(4).Name, nil)
			close(holds)
		},
		"after the group knows": func(server *fakeAPIServer, holds chan struct{}) {
			close(holds)
			synctest.Wait()
			server.put(named(4).Name, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
				server.put(named(4).Name, nil)
				holds := make(chan struct{})
				server.do(func(s *fakeAPIServer) { s.holds = holds })
				passes(gatherFor)
				server.put(named(4).Name, podNamed(4, "10"))
				expectPod(t, w, named(4), named(4), types.UID(named(4).Name), "10")
				goes(server, holds)
				synctest.Wait()
				expectAbsent(t, w, named(4), named(4))
				server.ofAll().send(event{watch.Added, podNamed(4, "10")}) // which the group's stream brings late
				synctest.Wait()
				expectAbsent(t, w, named(4), named(4))
			})
		})
	}
}

// What may watch each by its name may not watch all.
func TestAGroupThatIsRefusedIsDissolved(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		passes(gatherFor)
		server.do(func(s *fakeAPIServer) {
			s.instead = func(rw http.ResponseWriter, r *http.Request) {
				if nameIn(r.URL.Query()) == "" {
					refuse(forbidden)(rw, r)
					return
				}
				s.stream(rw, r)
			}
		})
		server.ofAll().send(event{closeStream, nil})
		server.requests()
		passes(3 * retryFirst)
		if got := len(told.take()); got != groupFrom {
			t.Fatalf("%d were told, want %d", got, groupFrom)
		}
		if err := expectError(t, w, named(3), named(3)); !apierrors.IsForbidden(err) {
			t.Errorf("got %v, want the API server's", err)
		}
		passes(8 * retryFirst)
		expectStreams(t, server, groupFrom)
		if got := len(told.take()); got != groupFrom {
			t.Fatalf("%d were told, want %d", got, groupFrom)
		}
		if n := ofNamespace(server.requests()); n != failsApart {
			t.Errorf("%d requests for the pods of the namespace, want %d", n, failsApart)
		}
	})
}

// While nobody is reached there is no use in asking for each.
func TestAGroupOutlastsAnAPIServerThatIsNotReached(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		passes(gatherFor)
		server.do(func(s *fakeAPIServer) { s.refusing = true })
		server.ofAll().send(event{}) // which breaks the connection
		passes(time.Minute)
		if got := len(told.take()); got != groupFrom {
			t.Fatalf("%d were told, want %d", got, groupFrom)
		}
		if err := expectError(t, w, named(3), named(3)); !errors.Is(err, errUnreachable) {
			t.Errorf("got %v", err)
		}
		server.do(func(s *fakeAPIServer) { s.refusing = false })
		passes(2 * retryUnreachable)
		expectStreams(t, server, 1)
		if got := len(told.take()); got != groupFrom {
			t.Fatalf("%d were told, want %d", got, groupFrom)
		}
		expectPod(t, w, named(3), named(3), types.UID(named(3).Name), "1")
	})
}

// Sessions come and go, pods change, come and go, streams break, and time passes. Nobody sees what was before what it has seen, and in the end
// each sees what there is.
func TestNobodySeesWhatWasBefore(t *testing.T) {
	const pods, sessions = 48, 60
	for seed := range uint64(8) {
		inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
			server.do(func(s *fakeAPIServer) { s.pods = map[string]*corev1.Pod{} })
			chance := rand.New(rand.NewPCG(seed, 0))
			version, newest, gone := 1, map[types.NamespacedName]int{}, map[types.NamespacedName]int{}
			of := map[types.NamespacedName]types.NamespacedName{}
			look := func(session types.NamespacedName) {
				pod, known, err := w.Get(session, of[session])
				switch {
				case err != nil:
					t.Fatal(err)
				case !known:
				case pod == nil:
					gone[session] = newest[session]
				default:
					at, err := strconv.Atoi(pod.ResourceVersion)
					if err != nil || at < newest[session] || at <= gone[session] {
						t.Fatalf("seed %d: session %s sees %s as of %d, and has seen it as of %d, %v", seed, session, pod.Name, at, newest[session], err)
					}
					newest[session] = at
				}
			}
			for i := range groupFrom + 4 { // as at a start
				of[named(100+i)] = named(i)
			}
			w.Expect(of)
			for range 1000 {
				session := named(100 + chance.IntN(sessions))
				switch n := chance.IntN(100); {
				case n < 40:
					if pod, interested := named(chance.IntN(pods)), of[session].Name != ""; !interested {
						of[session] = pod
						delete(newest, session)
						delete(gone, session)
					}
					look(session)
				case n < 42:
					w.Release(session)
					delete(of, session)
				case n < 90:
					version++
					i := chance.IntN(pods)
					server.put(named(i).Name, podNamed(i, strconv.Itoa(version)))
				case n < 94:
					if name := named(chance.IntN(pods)).Name; server.pods[name] != nil {
						server.put(name, nil)
					}
				case n < 95:
					if all := server.ofAll(); all != nil {
						all.send(event{closeStream, nil})
					}
				default:
					passes(time.Duration(chance.IntN(20)) * time.Second)
				}
				for session := range of {
					look(session)
				}
			}
			passes(2 * (minLifetime + lifetimeGrace))
			for session, pod := range of {
				if want := server.pods[pod.Name]; want == nil {
					expectAbsent(t, w, session, pod)
				} else {
					expectPod(t, w, session, pod, want.UID, want.ResourceVersion)
				}
			}
		})
	}
}
