package podwatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

var forbidden = metav1.Status{
	Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "pods is forbidden: the operator cannot watch pods",
}

func withTimeout(ctx context.Context, seconds string) (context.Context, context.CancelFunc) {
	n, _ := strconv.Atoi(seconds)
	return context.WithTimeout(ctx, time.Duration(n)*time.Second)
}

// Kubernetes 1.33 has streaming lists switched off, and older ones do not know them: 422 from both.
func TestWithoutStreamingListsAPodIsListedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) {
			s.pod = newPod("a", "1")
			s.instead = func(rw http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Query().Get("sendInitialEvents") != "":
					refuse(metav1.Status{
						Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
						Message: "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature " +
							"gate is enabled",
					})(rw, r)
				case r.URL.Query().Get("watch") == "":
					s.list(rw, r.URL.Query())
				default:
					s.stream(rw, r)
				}
			}
		})
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "a", "1")
		asked := server.requests()
		if len(asked) != 3 {
			t.Fatalf("%d requests, want a refused one, a list and a watch", len(asked))
		}
		for _, query := range asked {
			if got := query.Get("fieldSelector"); got != "metadata.name=checkout" {
				t.Errorf("asked for %q", got)
			}
		}
		if got := asked[2].Get("resourceVersion"); got != "1000" {
			t.Errorf("watched from %q, want 1000, the list's", got)
		}

		server.set(nil)
		expectTold(t, told, "alice")
		expectAbsent(t, w, alice, checkout)
		server.set(newPod("b", "1002"))
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "b", "1002")
	})
}

func TestARefusedWatchIsAnErrorUntilItIsAllowed(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) { s.instead = refuse(forbidden) })
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")
		if err := expectError(t, w, alice, checkout); !apierrors.IsForbidden(err) {
			t.Errorf("got %v, want the API server's Forbidden", err)
		}

		time.Sleep(time.Hour)
		synctest.Wait()
		expectTold(t, told) // the same error again is no news
		// Each wait is between retryLongest and twice that, the first few less.
		if n := len(server.requests()); n < 120 || n > 250 {
			t.Errorf("%d requests in an hour of refusals, want one each 15 to 30 s", n)
		}

		server.do(func(s *fakeAPIServer) { s.instead = nil })
		time.Sleep(2 * retryLongest)
		synctest.Wait()
		expectTold(t, told, "alice")
		expectAbsent(t, w, alice, checkout)
	})
}

func TestThousandsOfRefusedWatchesDoNotKeepStep(t *testing.T) {
	first := map[time.Duration]bool{}
	for range 100 {
		retry := newBackoff()
		first[retry.Step()] = true
		for range 50 {
			if wait := retry.Step(); wait < retryFirst || wait > 2*retryLongest {
				t.Fatalf("waits %v, want between %v and %v", wait, retryFirst, 2*retryLongest)
			}
		}
	}
	if len(first) < 90 {
		t.Errorf("100 watches wait only %d different times", len(first))
	}
}

func TestAnUnreachableAPIServerIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.set(newPod("a", "1"))
		expectUnknown(t, w, alice, checkout)
		synctest.Wait()
		expectTold(t, told, "alice")

		server.do(func(s *fakeAPIServer) { s.refusing = true })
		time.Sleep(time.Minute)
		server.send(event{}) // the connection breaks
		time.Sleep(time.Second)
		synctest.Wait()
		expectTold(t, told, "alice")
		if err := expectError(t, w, alice, checkout); !strings.HasSuffix(err.Error(), "cannot reach the API server: connection refused") {
			t.Errorf("got the error %v", err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		expectTold(t, told) // the same error again is no news

		server.do(func(s *fakeAPIServer) { s.refusing = false; s.pod = newPod("a", "1") })
		time.Sleep(2 * retryLongest)
		synctest.Wait()
		expectTold(t, told, "alice") // known again
		expectPod(t, w, alice, checkout, "a", "1")
	})
}

func TestHoweverAStreamEndsTheNextTellsWhatWasMissed(t *testing.T) {
	gone := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: "too old resource version",
	}
	for name, end := range map[string]event{
		"the connection breaks":      {},
		"the server closes it":       {Type: closeStream},
		"the server says 410 Gone":   {watch.Error, &gone},
		"the server talks gibberish": {watch.Added, &gone},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
				server.set(newPod("a", "1"))
				expectUnknown(t, w, alice, checkout)
				synctest.Wait()
				expectTold(t, told, "alice")
				server.requests()

				time.Sleep(time.Minute)
				server.do(func(s *fakeAPIServer) { s.pod = newPod("b", "7") }) // unseen
				server.send(end)
				expectTold(t, told, "alice")
				expectPod(t, w, alice, checkout, "b", "7")
				if asked := server.requests(); len(asked) != 1 || asked[0].Get("resourceVersion") != "" {
					t.Errorf("asked %v, want one request for all there is", asked)
				}
			})
		})
	}
}

func TestAStreamThatBreaksBeforeItHasToldIsAnError(t *testing.T) {
	tooMany := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError, Message: "etcd has no leader",
	}
	for name, test := range map[string]struct {
		sent  []event
		check func(error) bool
	}{
		"nothing": {nil, func(err error) bool { return errors.Is(err, errCutShort) }},
		"the pod but not the end": {
			[]event{{watch.Added, newPod("a", "1")}},
			func(err error) bool { return errors.Is(err, errCutShort) },
		},
		"an error":                 {[]event{{watch.Error, &tooMany}}, apierrors.IsInternalError},
		"something that is no pod": {[]event{{watch.Added, &tooMany}}, func(err error) bool { return err != nil }},
		"a bookmark of another kind": {
			[]event{{watch.Bookmark, newPod("", "1")}},
			func(err error) bool { return errors.Is(err, errCutShort) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
				server.do(func(s *fakeAPIServer) {
					s.instead = func(rw http.ResponseWriter, _ *http.Request) {
						rw.Header().Set("Content-Type", "application/json")
						rw.WriteHeader(http.StatusOK)
						for _, e := range test.sent {
							write(rw, e)
						}
					}
				})
				expectUnknown(t, w, alice, checkout)
				synctest.Wait()
				expectTold(t, told, "alice")
				if err := expectError(t, w, alice, checkout); !test.check(err) {
					t.Errorf("got the error %v", err)
				}
			})
		})
	}
}

func TestAnAPIServerThatDoesNotAnswerIsAnError(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	startAndHang := func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		write(rw, event{watch.Added, newPod("a", "1")})
		<-r.Context().Done()
	}
	for name, handler := range map[string]http.HandlerFunc{"silence": hang, "half an answer": startAndHang} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
				server.do(func(s *fakeAPIServer) { s.instead = handler })
				expectUnknown(t, w, alice, checkout)
				time.Sleep(syncTimeout - time.Second)
				synctest.Wait()
				expectTold(t, told)
				expectUnknown(t, w, alice, checkout)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				expectTold(t, told, "alice")
				if err := expectError(t, w, alice, checkout); !errors.Is(err, errNoAnswer) {
					t.Errorf("got the error %v", err)
				}
				server.do(func(s *fakeAPIServer) { s.instead = nil })
				time.Sleep(syncTimeout + 2*retryLongest)
				synctest.Wait()
				expectTold(t, told, "alice")
				expectAbsent(t, w, alice, checkout)
			})
		})
	}
}

func TestALongSessionAsksAgainEveryFiveToTenMinutes(t *testing.T) {
	for name, deaf := range map[string]bool{"the server ends the stream": false, "the connection is dead": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
				server.set(newPod("a", "1"))
				server.do(func(s *fakeAPIServer) { s.deaf = deaf })
				expectUnknown(t, w, alice, checkout)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				expectTold(t, told, "alice") // once: the same pod again is no news
				expectPod(t, w, alice, checkout, "a", "1")
				if n := len(server.requests()); n < 24*60/11 || n > 24*60/5+1 {
					t.Errorf("%d requests in a day, want one each 5 to 10 minutes", n)
				}
				if open := server.open(); open != 1 {
					t.Errorf("%d streams are open, want one", open)
				}
			})
		})
	}
}

// A proxy that cuts every stream as soon as it has begun must not make the operator a load generator.
func TestStreamsThatAreCutAtOnceAreNotBegunInALoop(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices) {
		server.do(func(s *fakeAPIServer) {
			s.instead = func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				write(rw, event{watch.Added, newPod("a", "1")})
				write(rw, endOfInitialEvents())
			}
		})
		expectUnknown(t, w, alice, checkout)
		time.Sleep(time.Hour)
		synctest.Wait()
		expectTold(t, told, "alice")
		expectPod(t, w, alice, checkout, "a", "1")
		if n := len(server.requests()); n > 250 {
			t.Errorf("%d requests in an hour, want at most one each 15 s", n)
		}
	})
}

func TestAnErrorOfTheNetworkReadsTheSameAtEachTry(t *testing.T) {
	reset := func(port int) error {
		return &url.Error{Op: "Get", URL: fmt.Sprint("https://apiserver.test/?timeoutSeconds=", port), Err: &net.OpError{
			Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: port}, Addr: &net.TCPAddr{Port: 443}, Err: syscall.ECONNRESET,
		}}
	}
	one, other := because(t.Context(), reset(50001)), because(t.Context(), reset(50002))
	if one.Error() != other.Error() {
		t.Errorf("got %q and %q", one, other)
	}
	if !errors.Is(one, syscall.ECONNRESET) {
		t.Errorf("%q hides what it was", one)
	}
}

// However many watches begin together, as at a start, the API server is asked for no more than it lets one client wait for. One that is not
// answered holds up the others no longer than it is waited for itself; one that has begun holds up none.
func TestSoManyWatchesBeginAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, server *fakeAPIServer, w *Watcher, _ *notices) {
		answers := make(chan struct{})
		server.do(func(s *fakeAPIServer) {
			s.instead = func(rw http.ResponseWriter, r *http.Request) {
				select {
				case <-answers:
					s.stream(rw, r)
				case <-r.Context().Done():
				}
			}
		})
		const all = 2*atOnce + 50
		for i := range all {
			session := types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("session-", i)}
			expectUnknown(t, w, session, types.NamespacedName{Namespace: fmt.Sprint("shop-", i), Name: "checkout"})
		}
		for _, wait := range []time.Duration{0, syncTimeout} {
			time.Sleep(wait)
			synctest.Wait()
			if asked := len(server.requests()); asked != atOnce {
				t.Errorf("after %v %d watches began, want %d", wait, asked, atOnce)
			}
		}
		close(answers)
		time.Sleep(retryFirst)
		synctest.Wait()
		if asked := len(server.requests()); asked < all-2*atOnce {
			t.Errorf("then %d watches began, want the %d that are left at least", asked, all-2*atOnce)
		}
	})
}
