package podwatch

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// fakeAPIServer serves one pod, or many, over HTTP, to the real client, and does on demand what a healthy API server does not. Its
// connections are pipes, so that a test in a synctest bubble has its own clock: half an hour passes at once.
type fakeAPIServer struct {
	mu       sync.Mutex
	pod      *corev1.Pod            // by whatever name it is asked for
	pods     map[string]*corev1.Pod // by name, in place of the one
	asked    []url.Values           // the query of each request
	streams  map[int]*served        // that are open
	next     int
	instead  http.HandlerFunc // answers in its place, if set
	deaf     bool             // ignores a watch's timeoutSeconds, as a dead connection does
	refusing bool             // no connection can be made
	behind   bool             // has nothing at hand
	holds    chan struct{}    // keeps a stream of all pods from beginning until it is closed, if set

	accepted chan net.Conn
	closed   chan struct{}
}

// served is a stream that is open.
type served struct {
	events chan event
	name   string // of the pod that it is of; empty: of all
	over   <-chan struct{}
}

// event is a watch event; one without a type breaks the connection, one of type closeStream ends the stream properly.
type event struct {
	Type   watch.EventType
	Object runtime.Object
}

const closeStream watch.EventType = "CLOSE"

// inBubble runs a test with a fake API server and a Watcher that is started on it, and fails if a goroutine outlives them.
func inBubble(t *testing.T, test func(t *testing.T, server *fakeAPIServer, w *Watcher, told *notices)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := newFakeAPIServer(t)
		w, told := server.watcher(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Start(ctx) }()
		synctest.Wait()
		test(t, server, w, told)
		stop()
		synctest.Wait()
		select {
		case err := <-ended:
			if err != nil {
				t.Error("Start:", err)
			}
		default:
			t.Error("Start has not returned, although its context has ended")
		}
	})
}

func newFakeAPIServer(t *testing.T) *fakeAPIServer {
	s := &fakeAPIServer{streams: map[int]*served{}, accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: s}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(s)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return s
}

// watcher returns a Watcher that is not started, and what it tells.
func (s *fakeAPIServer) watcher(t *testing.T) (*Watcher, *notices) {
	t.Helper()
	transport := &http.Transport{DialContext: s.dial}
	t.Cleanup(transport.CloseIdleConnections)
	pods, err := NewClients(&rest.Config{Host: "http://apiserver.test", Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	told := &notices{}
	return New(pods, told.add), told
}

// dial, Accept, Close and Addr make connections of pipes.
func (s *fakeAPIServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.mu.Lock()
	refusing := s.refusing
	s.mu.Unlock()
	if refusing {
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	select {
	case s.accepted <- there:
		return here, nil
	case <-s.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *fakeAPIServer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.accepted:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *fakeAPIServer) Close() error {
	close(s.closed)
	return nil
}

func (s *fakeAPIServer) Addr() net.Addr { return &net.UnixAddr{Name: "apiserver.test", Net: "pipe"} }

// do changes the server under its lock.
func (s *fakeAPIServer) do(change func(*fakeAPIServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// set makes a pod, changes it or, with nil, deletes it, and tells the streams.
func (s *fakeAPIServer) set(pod *corev1.Pod) {
	s.mu.Lock()
	before := s.pod
	s.pod = pod
	s.mu.Unlock()
	s.send(became(before, pod))
}

// put is set for one of many pods.
func (s *fakeAPIServer) put(name string, pod *corev1.Pod) {
	s.mu.Lock()
	before, holds := s.pods[name], s.holds != nil
	s.pods[name] = pod
	if pod == nil {
		delete(s.pods, name)
	}
	s.mu.Unlock()
	s.sendTo(func(stream *served) bool { return stream.name == name || stream.name == "" && !holds }, became(before, pod))
}

// became is what a stream tells of a pod that was one and is the other now; nil: it is not there.
func became(before, pod *corev1.Pod) event {
	switch {
	case pod == nil:
		return event{watch.Deleted, before}
	case before == nil:
		return event{watch.Added, pod}
	default:
		return event{watch.Modified, pod}
	}
}

// send sends an event to every stream, and waits until it has arrived and been seen.
func (s *fakeAPIServer) send(e event) {
	s.sendTo(func(*served) bool { return true }, e)
}

// sendTo is send to some of the streams.
func (s *fakeAPIServer) sendTo(which func(*served) bool, e event) {
	s.mu.Lock()
	streams := slices.Collect(maps.Values(s.streams))
	s.mu.Unlock()
	for _, stream := range streams {
		if which(stream) {
			stream.send(e)
		}
	}
	synctest.Wait()
}

func (s *served) send(e event) {
	select {
	case s.events <- e:
	case <-s.over:
	}
}

// ofAll is the stream of all pods, if there is one.
func (s *fakeAPIServer) ofAll() *served {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range s.streams {
		if stream.name == "" {
			return stream
		}
	}
	return nil
}

func (s *fakeAPIServer) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// requests returns the queries since the last call.
func (s *fakeAPIServer) requests() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *fakeAPIServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.mu.Lock()
	s.asked = append(s.asked, query)
	instead := s.instead
	s.mu.Unlock()
	switch {
	case instead != nil:
		instead(w, r)
	case query.Get("watch") == "":
		s.list(w, query)
	default:
		s.stream(w, r)
	}
}

// at are the pods that a request is for, as they are served at its resource version.
func (s *fakeAPIServer) at(query url.Values) []*corev1.Pod {
	name := nameIn(query)
	switch {
	case s.behind && query.Get("resourceVersion") == atHand:
		return nil
	case s.pods != nil && name == "":
		return slices.Collect(maps.Values(s.pods))
	case s.pods[name] != nil:
		return []*corev1.Pod{s.pods[name]}
	case s.pods != nil || s.pod == nil:
		return nil
	}
	return []*corev1.Pod{s.pod}
}

// nameIn is the name of the pod that a request is for; empty if it is for all.
func nameIn(query url.Values) string {
	return strings.TrimPrefix(query.Get("fieldSelector"), "metadata.name=")
}

func (s *fakeAPIServer) list(w http.ResponseWriter, query url.Values) {
	list := &corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	list.ResourceVersion = "1000"
	s.mu.Lock()
	for _, pod := range s.at(query) {
		list.Items = append(list.Items, *pod)
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

func (s *fakeAPIServer) stream(w http.ResponseWriter, r *http.Request) {
	over := make(chan struct{})
	stream := &served{make(chan event), nameIn(r.URL.Query()), over}
	s.mu.Lock()
	id := s.next
	s.next++
	s.streams[id] = stream
	pods, deaf, holds := s.at(r.URL.Query()), s.deaf, s.holds
	s.mu.Unlock()
	defer s.do(func(s *fakeAPIServer) {
		delete(s.streams, id)
		close(over)
	})
	if holds != nil && stream.name == "" {
		<-holds
	}

	w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		for _, pod := range pods {
			write(w, event{watch.Added, pod})
		}
		write(w, endOfInitialEvents())
	}
	w.(http.Flusher).Flush()

	ctx := r.Context()
	if !deaf {
		seconds := r.URL.Query().Get("timeoutSeconds")
		var cancel context.CancelFunc
		ctx, cancel = withTimeout(ctx, seconds)
		defer cancel()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-stream.events:
			if e.Type == "" {
				panic(http.ErrAbortHandler)
			}
			if e.Type == closeStream {
				return
			}
			write(w, e)
		}
	}
}

// write writes an event as an API server does in protobuf, after its length.
func write(w http.ResponseWriter, e event) {
	object, err := runtime.Encode(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme), e.Object)
	utilruntime.Must(err)
	frame, err := (&metav1.WatchEvent{Type: string(e.Type), Object: runtime.RawExtension{Raw: object}}).Marshal()
	utilruntime.Must(err)
	_, _ = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	w.(http.Flusher).Flush()
}

func endOfInitialEvents() event {
	bookmark := newPod("", "")
	bookmark.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	return event{watch.Bookmark, bookmark}
}

func newPod(uid types.UID, resourceVersion string) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", UID: uid, ResourceVersion: resourceVersion},
	}
}

// refuse answers with an API server's error.
func refuse(status metav1.Status) http.HandlerFunc {
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	status.Status = metav1.StatusFailure
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Code))
		_ = json.NewEncoder(w).Encode(status)
	}
}

// notices are the sessions that were told that something changed.
type notices struct {
	mu   sync.Mutex
	list []string
}

func (n *notices) add(session types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, session.Name)
}

// take returns the names of the sessions told since the last call, in order of name.
func (n *notices) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.list
	n.list = nil
	slices.Sort(list)
	return list
}
