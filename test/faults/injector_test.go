package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"
	"k8s.io/utils/clock"

	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
)

// pattern is what goes wrong at a point. The names in the comments are the patterns of
// the Sieve paper.
type pattern string

const (
	failsBefore  pattern = "a" // the call fails before it happens
	answerLost   pattern = "b" // it happens, and the answer is lost
	crash        pattern = "c" // intermediate state: it happens, the operator dies at once, and another starts with a cold cache
	staleRead    pattern = "d" // stale state: a live read is answered with what was there before
	staleRestart pattern = "s" // stale state: as crash, and the other's first lists are as old as the session's last version but one
	lateEvent    pattern = "e" // stale state: a watch stands still until the operator has done something else, or for a while
	missedEvent  pattern = "u" // unobserved state: a watch breaks and has expired: what happened meanwhile is never told
)

const standstill = 300 * time.Millisecond // how long a watch is held back at most

var errInjected = errors.New("fault injected by the test")

// point is where something goes wrong: the n-th call, or watch event, of that name.
type point struct {
	pattern pattern
	name    string
	nth     int
	index   int // among all calls of the run without faults, from 1
}

func (p point) String() string { return fmt.Sprintf("%s/%d:%s.%d", p.pattern, p.index, p.name, p.nth) }

// injector is between one operator, or several one after another, and the API server. Each operator is a generation.
type injector struct {
	namespace string
	clock     clock.PassiveClock // the operators'
	history   *history
	fault     *point
	crashed   chan struct{} // closed when the operator is to be started anew

	mu         sync.Mutex
	armed      bool
	generation int // requests of an older one fail: their operator is dead
	seen       map[string]int
	calls      []string // in order, with their number
	told       []int    // by call, how many events the operator had been told of before it
	events     []string
	running    struct{ calls, events int } // how many there were when the session's end began
	deletes    []string                    // bodies of deletes of pods
	deletedAt  []time.Time                 // and when they came, by the operators' clock
	reached    bool
	staleAt    string          // the version at which the next operator's first lists are taken
	listed     map[string]bool // what the next operator has listed already
	heldUntil  time.Time
}

func (i *injector) arm() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed = true
}

// end notes that the session runs, and that its end begins.
func (i *injector) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.running.calls, i.running.events = len(i.calls), len(i.events)
}

// ending reports whether a point of a run without faults is in the session's end.
func (i *injector) ending(p *point) bool {
	if p.pattern == lateEvent || p.pattern == missedEvent {
		return p.index > i.running.events
	}
	return p.index > i.running.calls
}

func (i *injector) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.calls)
}

// about is how many calls there were that are neither a watch that was begun anew nor an event, which is sent when there is
// time for it.
func (i *injector) about() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	for _, call := range i.calls {
		if !strings.HasPrefix(call, "<-") && !strings.HasPrefix(call, "watch-") && !strings.HasPrefix(call, "list-") &&
			!strings.Contains(call, "-events.") {
			n++
		}
	}
	return n
}

// meets notes a call or an event and reports whether the fault is here.
func (i *injector) meets(name string, event bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.armed {
		return false
	}
	i.seen[name]++
	numbered := fmt.Sprintf("%s.%d", name, i.seen[name])
	if event {
		i.events = append(i.events, numbered)
	} else {
		i.calls, i.told = append(i.calls, numbered), append(i.told, len(i.events))
	}
	here := !i.reached && i.fault != nil && i.fault.name == name && i.fault.nth == i.seen[name]
	if here {
		i.reached = true
		i.calls = append(i.calls, "<- "+i.fault.String())
	}
	return here
}

// die ends the generation: as with kill -9, nothing that it asks from now on reaches the API server.
func (i *injector) die() {
	i.mu.Lock()
	i.generation++
	if i.fault.pattern == staleRestart {
		i.staleAt = i.history.before(i.namespace)
	}
	i.mu.Unlock()
	close(i.crashed)
}

func (i *injector) dead(generation int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return generation != i.generation
}

// around has a call that is made in another way than over HTTP meet its fault.
func (i *injector) around(generation int, name string, call func() error) error {
	if i.dead(generation) {
		return errInjected
	}
	if !i.meets(name, false) {
		return call()
	}
	switch i.fault.pattern {
	case failsBefore:
		return errInjected
	case answerLost, crash, staleRestart:
		_ = call()
		if i.fault.pattern != answerLost {
			i.die()
		}
		return errInjected
	default:
		return call()
	}
}

// transport is what one generation of the operator speaks through.
type transport struct {
	http.RoundTripper
	*injector
	generation int
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.dead(t.generation) {
		return nil, errInjected
	}
	if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/debugclasses/") {
		// Each of the operators sees the sessions of one namespace: they would correct each other's count of a class for ever.
		return answer(r, http.StatusNotFound, status(http.StatusNotFound, metav1.StatusReasonNotFound)), nil
	}
	name := t.callName(r)
	if name == "" {
		return t.RoundTripper.RoundTrip(r)
	}
	if response := t.expired(r); response != nil {
		return response, nil
	}
	r = t.fromThePast(r)
	if r.Method == http.MethodDelete && strings.HasSuffix(name, "-pods") {
		t.noteDelete(r)
	}
	if !t.meets(name, false) {
		return t.pass(r)
	}
	switch t.fault.pattern {
	case failsBefore:
		return nil, errInjected
	case answerLost, crash, staleRestart:
		if response, err := t.RoundTripper.RoundTrip(r); err == nil {
			response.Body.Close()
		}
		if t.fault.pattern != answerLost {
			t.die()
		}
		return nil, errInjected
	case staleRead:
		return t.older(r)
	default:
		return t.pass(r)
	}
}

// pass lets a request through, and has the events of a watch looked at one by one.
func (t *transport) pass(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if err == nil && isWatch(r) && response.StatusCode == http.StatusOK {
		response.Body = newStream(r.Context(), t, resourceOf(r), response)
	}
	return response, err
}

// older answers a live read with the object's version before the present one, or that there is none.
func (t *transport) older(r *http.Request) (*http.Response, error) {
	inJSON := r.Clone(r.Context())
	inJSON.Header.Set("Accept", "application/json")
	present, err := t.RoundTripper.RoundTrip(inJSON)
	if err != nil {
		return nil, err
	}
	defer present.Body.Close()
	var read metav1.PartialObjectMetadata // nothing is in it if there is no object now
	if err := json.NewDecoder(present.Body).Decode(&read); err != nil {
		return nil, err
	}
	segments := strings.Split(r.URL.Path, "/")
	object, err := t.history.previous(r.Context(), t.namespace, resourceOf(r), segments[len(segments)-1], read.ResourceVersion)
	if err != nil {
		return nil, err
	}
	if object != nil {
		body, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		return answer(r, http.StatusOK, body), nil
	}
	return answer(r, http.StatusNotFound, status(http.StatusNotFound, metav1.StatusReasonNotFound)), nil
}

// expired answers a watch after one that was broken.
func (t *transport) expired(r *http.Request) *http.Response {
	t.mu.Lock()
	held := t.heldUntil
	t.mu.Unlock()
	if held.IsZero() || !isWatch(r) && r.URL.Query().Get("resourceVersion") == "" {
		return nil
	}
	select {
	case <-time.After(time.Until(held)):
	case <-r.Context().Done():
	}
	if version := r.URL.Query().Get("resourceVersion"); version != "" && version != "0" && isWatch(r) && t.once() {
		return answer(r, http.StatusGone, status(http.StatusGone, metav1.StatusReasonExpired))
	}
	return nil
}

func (t *transport) once() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.heldUntil.IsZero()
	t.heldUntil = time.Time{}
	return first
}

// fromThePast has the first lists of a restarted operator served as the cluster was some time ago.
func (t *transport) fromThePast(r *http.Request) *http.Request {
	t.mu.Lock()
	version := t.staleAt
	t.mu.Unlock()
	query := r.URL.Query()
	if version == "" || r.Method != http.MethodGet || !isCollection(r) || query.Get("fieldSelector") != "" {
		return r
	}
	r = r.Clone(r.Context())
	switch {
	case query.Get("sendInitialEvents") == "true": // refused as by a server that knows no streaming lists: a list comes next
		query.Set("resourceVersionMatch", "none")
	case !isWatch(r) && t.firstList(resourceOf(r)):
		query.Set("resourceVersion", version)
		query.Set("resourceVersionMatch", "Exact")
		query.Del("limit")
	}
	r.URL.RawQuery = query.Encode()
	return r
}

// firstList reports whether the restarted operator has not listed this before: what fills its caches. What it lists later it asks
// the API server itself, which is never behind.
func (t *transport) firstList(resource string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listed == nil {
		t.listed = map[string]bool{}
	}
	first := !t.listed[resource]
	t.listed[resource] = true
	return first
}

// hold waits until the operator has asked for something else, or for a while.
func (i *injector) hold(ctx context.Context) {
	before, end := i.count(), time.Now().Add(standstill)
	for i.count() == before && time.Now().Before(end) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
}

func (t *transport) noteDelete(r *http.Request) {
	body := peek(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deletes, t.deletedAt = append(t.deletes, string(body)), append(t.deletedAt, t.clock.Now())
}

// callName is verb and resource of a request that is about the session's namespace, else empty.
func (t *transport) callName(r *http.Request) string {
	if strings.HasSuffix(r.URL.Path, "/subjectaccessreviews") {
		if bytes.Contains(peek(r), []byte(t.namespace)) {
			return "create-subjectaccessreviews"
		}
		return ""
	}
	if !strings.Contains(r.URL.Path, "/namespaces/"+t.namespace+"/") {
		return ""
	}
	verb := map[string]string{"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[r.Method]
	if isWatch(r) {
		verb = "watch"
	} else if verb == "get" && isCollection(r) {
		verb = "list"
	}
	if r.URL.Query().Get("dryRun") != "" {
		verb = "try-" + verb
	}
	return verb + "-" + resourceOf(r)
}

func peek(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// resourceOf is the resource in a namespaced path, with the subresource.
func resourceOf(r *http.Request) string {
	_, rest, _ := strings.Cut(r.URL.Path, "/namespaces/")
	parts := strings.Split(rest, "/")
	switch {
	case len(parts) < 2:
		return "namespaces"
	case len(parts) == 4:
		return parts[1] + "-" + parts[3]
	default:
		return parts[1]
	}
}

func isCollection(r *http.Request) bool {
	_, rest, _ := strings.Cut(r.URL.Path, "/namespaces/")
	return strings.Count(rest, "/") == 1
}

func isWatch(r *http.Request) bool {
	watches, _ := strconv.ParseBool(r.URL.Query().Get("watch"))
	return watches
}

func status(code int32, reason metav1.StatusReason) []byte {
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: errInjected.Error(),
	})
	if err != nil {
		panic(err)
	}
	return body
}

func answer(r *http.Request, code int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: code, Status: strconv.Itoa(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// node runs commands and reads logs for one generation of the operator, through the same faults.
type node struct {
	*injector
	generation int
	kubelet    *kubelet
	hangs      bool            // it answers nobody who asks for a log
	command    <-chan struct{} // closed when the debugger's command has ended
}

// Exec ends the container, has its watchdog hear of a later deadline, or lets it go that is held for its files.
func (n *node) Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error {
	return n.around(n.generation, "create-pods-exec", func() error {
		if slices.Equal(command, debugpod.LetGo()) {
			return n.kubelet.Exit(ctx, pod, container, fixture.Exited(time.Now(), 3, "Error", ""))
		}
		return n.kubelet.Exec(ctx, pod, container, command)
	})
}

// Stream waits for the end of the debugger's command, or reads a file that it has left.
func (n *node) Stream(ctx context.Context, pod types.NamespacedName, container string, command []string, out io.Writer) error {
	return n.around(n.generation, "create-pods-exec", func() error {
		switch {
		case slices.Equal(command, debugpod.AwaitFiles()):
			select {
			case <-n.command:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		case slices.Contains(command, keptFile):
			_, err := io.WriteString(out, keptText)
			return err
		default:
			return exec.CodeExitError{Err: errors.New("there is no such file"), Code: debugpod.ExitFileMissing}
		}
	})
}

func (n *node) End(context.Context, types.NamespacedName, string, time.Time) (string, error) {
	return "", n.around(n.generation, "get-pods-log", func() error { return nil })
}
