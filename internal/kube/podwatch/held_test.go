package podwatch

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// start has sessions that can wait come at once, for pods of which each is there, from one number up to another.
func start(t *testing.T, server *fakeAPIServer, w *Watcher, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		server.do(func(s *fakeAPIServer) { s.pods[named(i).Name] = podNamed(i, "1") })
		if pod, known, err := w.GetLater(named(i), named(i)); pod != nil || known || err != nil {
			t.Fatalf("got %v, known %v, %v; want nothing known yet", pod, known, err)
		}
	}
	synctest.Wait()
}

// slowly is inBubble with an API server on which no stream of one pod begins.
func slowly(t *testing.T, test func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices)) {
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
		test(t, server, w, told)
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

func TestTheGroupOfAStartTellsOfThoseThatHaveNoStream(t *testing.T) {
	slowly(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		const all = 2000
		start(t, server, w, 0, all)
		if asked := len(server.requests()); asked != groupFrom {
			t.Errorf("asked %d times for one pod each, want %d", asked, groupFrom)
		}
		passes(gatherFor)
		expectToldOnce(t, told, all)
		if asked := len(server.requests()); asked != 1 {
			t.Errorf("asked %d times more, want once for all", asked)
		}
		expectPod(t, w, named(all-1), named(all-1), types.UID(named(all-1).Name), "1")
		server.put(named(all-1).Name, podNamed(all-1, "2"))
		expectTold(t, told, named(all-1).Name)
		passes(2 * heldFor)
		expectTold(t, told)
		if asked := len(server.requests()); asked != 0 {
			t.Errorf("asked %d times more for those that a group tells of", asked)
		}
		for i := range all {
			w.Release(named(i))
		}
		expectNothing(t, server, w)
	})
}

// A group is begun anew for as many as it has at once, and not before it has told those.
func TestThoseThatAreHeldDoNotWaitUntilAGroupIsOld(t *testing.T) {
	slowly(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		holds := make(chan struct{})
		server.do(func(s *fakeAPIServer) { s.holds = holds })
		start(t, server, w, 0, 100)
		passes(gatherFor)
		start(t, server, w, 100, 200-groupFrom)
		start(t, server, w, 200-groupFrom, 200)
		server.requests()
		passes(2 * gatherFor)
		if n := ofNamespace(server.requests()); n != 0 {
			t.Errorf("%d requests for the pods of the namespace while one is answered", n)
		}
		expectTold(t, told)
		server.do(func(s *fakeAPIServer) { s.holds = nil })
		close(holds)
		synctest.Wait()
		expectToldOnce(t, told, 100)
		passes(gatherFor)
		expectToldOnce(t, told, 100)
		if asked := len(server.requests()); asked != 1 {
			t.Errorf("asked %d times more, want once for all", asked)
		}
	})
}

// For fewer it is begun anew after a while: each time brings all that it has.
func TestFewerThanAGroupHasWaitALittle(t *testing.T) {
	slowly(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		start(t, server, w, 0, 200)
		passes(gatherFor)
		expectToldOnce(t, told, 200)
		passes(gatherFor)
		start(t, server, w, 200, 300)
		passes(heldFor/2 - gatherFor - time.Millisecond)
		expectTold(t, told)
		start(t, server, w, 300, 301)
		passes(time.Millisecond)
		expectToldOnce(t, told, 101)

		start(t, server, w, 301, 400)
		passes(gatherFor)
		expectTold(t, told)
		start(t, server, w, 400, 700) // and now they are as many
		passes(gatherFor)
		expectToldOnce(t, told, 700-301)
	})
}

// Nor until it was to be begun anew for those that have come before.
func TestThoseThatAreHeldHurryACall(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		passes(gatherFor)
		start(t, server, w, groupFrom, 2*groupFrom)
		expectToldOnce(t, told, groupFrom)
		server.do(func(s *fakeAPIServer) {
			s.instead = func(rw http.ResponseWriter, r *http.Request) {
				if nameIn(r.URL.Query()) == "" {
					s.stream(rw, r)
				}
				<-r.Context().Done()
			}
		})
		start(t, server, w, 2*groupFrom, 4*groupFrom)
		expectTold(t, told)
		passes(gatherFor)
		expectToldOnce(t, told, 2*groupFrom)
	})
}

// What a group cannot tell in time, a stream of its own does.
func TestNobodyIsHeldForLong(t *testing.T) {
	for name, hinder := range map[string]struct {
		instead http.HandlerFunc // of the group's stream; nil: it does not begin
		within  time.Duration
	}{
		"no answer":          {nil, heldFor},
		"no streaming lists": {refuse(metav1.Status{Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid}), gatherFor},
		"refused":            {refuse(forbidden), gatherFor + 3*retryFirst},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
				server.do(func(s *fakeAPIServer) {
					s.pods = map[string]*corev1.Pod{}
					s.instead = func(rw http.ResponseWriter, r *http.Request) {
						switch {
						case nameIn(r.URL.Query()) != "":
							s.stream(rw, r)
						case hinder.instead != nil:
							hinder.instead(rw, r)
						default:
							<-r.Context().Done()
						}
					}
				})
				const all = 3 * groupFrom
				start(t, server, w, 0, all)
				expectToldOnce(t, told, groupFrom)
				passes(hinder.within)
				expectToldOnce(t, told, all-groupFrom)
				expectPod(t, w, named(all-1), named(all-1), types.UID(named(all-1).Name), "1")
			})
		})
	}
}

// A namespace in which a group did not pay has none for an hour, and nobody waits for it.
func TestNobodyIsHeldForAGroupThatThereWillNotBe(t *testing.T) {
	inCrowd(t, groupFrom, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		large := newPod("stranger", "1")
		large.Name = "stranger"
		large.Annotations = map[string]string{"large": strings.Repeat("x", groupFrom*othersPerMember)}
		server.put("stranger", large)
		passes(gatherFor)
		expectStreams(t, server, groupFrom)
		w.mu.Lock()
		w.crowds["shop"].enough = 1000 // as many as a group may pay for
		w.mu.Unlock()
		start(t, server, w, groupFrom, 4*groupFrom)
		expectStreams(t, server, 4*groupFrom)
		expectToldOnce(t, told, 3*groupFrom)
	})
}

// Those that have begun in the meantime are as good as told, and too few are left for a group.
func TestFewThatAreHeldAreLetGo(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) { s.pods = map[string]*corev1.Pod{} })
		start(t, server, w, 0, groupFrom+3)
		expectToldOnce(t, told, groupFrom)
		for i := range 10 {
			w.Release(named(i))
		}
		passes(gatherFor)
		expectToldOnce(t, told, 3)
		expectStreams(t, server, groupFrom+3-10)
	})
}

func TestOneThatIsHeldMayBeReleased(t *testing.T) {
	slowly(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		start(t, server, w, 0, 3*groupFrom)
		for i := range 3 * groupFrom {
			w.Release(named(i))
		}
		expectNothing(t, server, w)
		passes(2 * heldFor)
		expectTold(t, told)
	})
}

// Too few are left for a group: nobody would call one.
func TestNobodyIsHeldWhereFewAre(t *testing.T) {
	slowly(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		start(t, server, w, 0, groupFrom)
		w.Release(named(0))
		start(t, server, w, groupFrom, groupFrom+1)
		if asked := len(server.requests()); asked != groupFrom+1 {
			t.Errorf("asked %d times, want %d", asked, groupFrom+1)
		}
	})
}

// Who has something to do does not wait, nor for a pod that others wait for.
func TestOnlyThoseWhoCanWaitAreHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) { s.pods = map[string]*corev1.Pod{} })
		start(t, server, w, 0, 2*groupFrom)
		expectToldOnce(t, told, groupFrom)
		expectUnknown(t, w, named(groupFrom), named(groupFrom))
		expectUnknown(t, w, alice, named(groupFrom+1))
		expectUnknown(t, w, bob, named(3*groupFrom))
		synctest.Wait()
		expectToldOnce(t, told, 4)
		expectStreams(t, server, groupFrom+3)
		passes(gatherFor)
		expectStreams(t, server, 1)
	})
}

// One that is held stays so if it is asked for again, and one that was let go is not let go again.
func TestAPodHasOneStream(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		holds := make(chan struct{})
		defer close(holds)
		server.do(func(s *fakeAPIServer) { s.pods, s.holds = map[string]*corev1.Pod{}, holds })
		start(t, server, w, 0, 2*groupFrom)
		passes(gatherFor / 2)
		start(t, server, w, groupFrom, groupFrom+1)
		expectStreams(t, server, groupFrom)
		expectUnknown(t, w, named(groupFrom+1), named(groupFrom+1))
		expectStreams(t, server, groupFrom+1)
		passes(heldFor)
		expectStreams(t, server, 1+2*groupFrom)
		expectToldOnce(t, told, 2*groupFrom)
	})
}

// Nobody waits who comes at a pace at which sessions are started.
func TestThoseWhoComeOneAfterAnotherAreNotHeld(t *testing.T) {
	slowly(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		holds := make(chan struct{})
		server.do(func(s *fakeAPIServer) { s.holds = holds })
		defer close(holds)
		for i := range 3 * groupFrom {
			start(t, server, w, i, i+1)
			passes(time.Second / groupFrom)
		}
		one := 0
		for _, query := range server.requests() {
			if nameIn(query) != "" {
				one++
			}
		}
		if one != 3*groupFrom {
			t.Errorf("asked %d times for one pod each, want %d", one, 3*groupFrom)
		}
	})
}
