package podwatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"debugsession.dev/operator/internal/kube/podwatch"
)

const namespace = "default"

// startAPIServer starts a real API server and returns how to reach it.
func startAPIServer(t testing.TB, args ...string) *rest.Config {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: there is no API server to test with; `make test` builds one")
	}
	environment := &envtest.Environment{}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		environment.ControlPlane.GetAPIServer().Configure().Append(name, value)
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatal("starting an API server:", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error("stopping the API server:", err)
		}
	})
	config.QPS = -1
	return config
}

// traffic counts the requests that a client makes, those of them that are for all pods, the answers that came compressed, and those that are not
// over.
type traffic struct {
	http.RoundTripper
	requests, forAll, compressed, open atomic.Int64
}

// answer is the body of an answer that is not over.
type answer struct {
	io.ReadCloser
	close func() // once
}

func (a *answer) Close() error {
	a.close()
	return a.ReadCloser.Close()
}

func (c *traffic) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	if !r.URL.Query().Has("fieldSelector") {
		c.forAll.Add(1)
	}
	response, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.Uncompressed {
		c.compressed.Add(1)
	}
	c.open.Add(1)
	response.Body = &answer{response.Body, sync.OnceFunc(func() { c.open.Add(-1) })}
	return response, nil
}

// start starts a Watcher, and returns it with the sessions it tells and the traffic it makes.
func start(t testing.TB, config *rest.Config) (*podwatch.Watcher, chan string, *traffic) {
	t.Helper()
	made := &traffic{}
	config = rest.CopyConfig(config)
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper {
		made.RoundTripper = rt
		return made
	})
	pods, err := podwatch.NewClients(config)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10000)
	w := podwatch.New(pods, func(session types.NamespacedName) { told <- session.Name })
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("Start:", err)
		}
	})
	return w, told, made
}

// awaitTold waits for a session to be told of a change.
func awaitTold(t testing.TB, told <-chan string) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was told within 30 s")
	}
}

// awaitPod waits until a session sees its pod as it should be.
func awaitPod(t testing.TB, w *podwatch.Watcher, told <-chan string, pod types.NamespacedName, is func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	return awaitPodOf(t, w, told, types.NamespacedName{Namespace: namespace, Name: "session"}, pod, is)
}

func awaitPodOf(
	t testing.TB, w *podwatch.Watcher, told <-chan string, session, pod types.NamespacedName, is func(*corev1.Pod) bool,
) *corev1.Pod {
	t.Helper()
	for {
		seen, known, err := w.Get(session, pod)
		if err != nil {
			t.Fatal(err)
		}
		if known && is(seen) {
			return seen
		}
		awaitTold(t, told)
	}
}

func absent(pod *corev1.Pod) bool  { return pod == nil }
func present(pod *corev1.Pod) bool { return pod != nil }

func examplePod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: strings.Repeat("x", 1000)},
		},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(bool),
			Containers:                   []corev1.Container{{Name: "app", Image: "app:1"}},
		},
	}
}

func pods(t testing.TB, config *rest.Config) corev1client.PodInterface {
	t.Helper()
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	serviceAccount := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := client.ServiceAccounts(namespace).Create(t.Context(), serviceAccount, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return client.Pods(namespace)
}

// What many pods of a namespace do is told by one stream.
func TestAGroupOnARealAPIServer(t *testing.T) {
	const many = 40
	config := startAPIServer(t, "feature-gates=WatchList=true")
	pods := pods(t, config)
	w, told, traffic := start(t, config)
	name := func(i int) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: fmt.Sprint("pod-", i)}
	}
	for i := range many {
		if _, err := pods.Create(t.Context(), examplePod(name(i).Name), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Get(name(i), name(i)); err != nil {
			t.Fatal(err)
		}
	}
	for range many {
		awaitTold(t, told)
	}
	for end := time.Now().Add(time.Minute); traffic.open.Load() != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d streams are open after a minute, want one", traffic.open.Load())
		}
	}
	patch := []byte(`{"metadata":{"labels":{"patched":"yes"}}}`)
	if _, err := pods.Patch(t.Context(), name(3).Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := pods.Delete(t.Context(), name(4).Name, *metav1.NewDeleteOptions(0)); err != nil {
		t.Fatal(err)
	}
	for i := range many {
		is := present
		switch i {
		case 3:
			is = func(pod *corev1.Pod) bool { return pod != nil && pod.Labels["patched"] == "yes" }
		case 4:
			is = absent
		}
		awaitPodOf(t, w, told, name(i), name(i), is)
	}
	if n := traffic.forAll.Load(); n != 1 {
		t.Errorf("%d requests for all pods, want one", n)
	}
}

// With streaming lists, as Kubernetes has by default from 1.34, and without.
func TestOnARealAPIServer(t *testing.T) {
	for name, test := range map[string]struct {
		args     []string
		requests int64
	}{
		"streaming lists": {[]string{"feature-gates=WatchList=true"}, 2},
		"none":            {[]string{"feature-gates=WatchList=false"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			config := startAPIServer(t, test.args...)
			pods := pods(t, config)
			w, told, traffic := start(t, config)
			name := types.NamespacedName{Namespace: namespace, Name: "checkout"}
			for _, other := range []string{"checkout-2", "cart"} {
				if _, err := pods.Create(t.Context(), examplePod(other), metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			awaitPod(t, w, told, name, absent)

			made, err := pods.Create(t.Context(), examplePod(name.Name), metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			seen := awaitPod(t, w, told, name, present)
			if seen.UID != made.UID || len(seen.Spec.Containers) != 1 || seen.ManagedFields != nil || len(seen.Annotations) != 0 {
				t.Errorf("saw %+v, want the pod that was made, trimmed", seen)
			}

			patch := []byte(`{"metadata":{"labels":{"patched":"yes"}}}`)
			if _, err := pods.Patch(t.Context(), name.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			awaitPod(t, w, told, name, func(pod *corev1.Pod) bool { return pod != nil && pod.Labels["patched"] == "yes" })

			if err := pods.Delete(t.Context(), name.Name, *metav1.NewDeleteOptions(0)); err != nil {
				t.Fatal(err)
			}
			awaitPod(t, w, told, name, absent)
			again, err := pods.Create(t.Context(), examplePod(name.Name), metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if seen := awaitPod(t, w, told, name, present); seen.UID != again.UID || seen.UID == made.UID {
				t.Errorf("saw the pod with UID %s, want %s, the new one's", seen.UID, again.UID)
			}

			if n := traffic.requests.Load(); n != test.requests {
				t.Errorf("%d requests, want %d: that there was no such pod was made sure of", n, test.requests)
			}
			if n := traffic.compressed.Load(); n != 0 {
				t.Errorf("%d streams are compressed, which costs more memory than all the rest of a watch", n)
			}
		})
	}
}

// What a watch costs that waits for its pod to change, with a stream of its own and then in a group: of memory (heap and stacks), of goroutines
// and of requests; and how long it takes until all of them know their pod.
//
//	go test -run '^$' -bench IdleWatches -benchtime 1x ./internal/kube/podwatch
func BenchmarkIdleWatches(b *testing.B) {
	const watches = 2000
	config := startAPIServer(b)
	createPods(b, pods(b, config), watches)
	for b.Loop() {
		w, told, traffic := start(b, config)
		before, goroutines := memory(), runtime.NumGoroutine()
		began := time.Now()
		for i := range watches {
			name := types.NamespacedName{Namespace: namespace, Name: fmt.Sprint("pod-", i)}
			if _, _, err := w.Get(name, name); err != nil {
				b.Fatal(err)
			}
		}
		for range watches {
			awaitTold(b, told)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/all-known")
		b.ReportMetric(float64(memory()-before)/watches, "B/watch-alone")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/watches, "goroutines/watch")
		b.ReportMetric(float64(traffic.requests.Load())/watches, "requests/watch")
		for end := time.Now().Add(time.Minute); runtime.NumGoroutine()-goroutines > watches/10; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				b.Fatal("they have streams of their own after a minute")
			}
		}
		b.ReportMetric(float64(memory()-before)/watches, "B/watch")
		if n := w.Len(); n != watches {
			b.Fatalf("%d watches, want %d", n, watches)
		}
	}
}

func createPods(b *testing.B, pods corev1client.PodInterface, n int) {
	b.Helper()
	pod := examplePod("")
	for i := range 30 {
		pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env,
			corev1.EnvVar{Name: fmt.Sprint("VARIABLE_", i), Value: "some value of some length"})
	}
	size, err := json.Marshal(pod)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d pods of about %d bytes as JSON", n, len(size))
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := worker; i < n; i += 8 {
				pod := pod.DeepCopy()
				pod.Name = fmt.Sprint("pod-", i)
				if _, err := pods.Create(b.Context(), pod, metav1.CreateOptions{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
}

// memory is what heap and stacks take once the garbage is collected, and stacks that had grown have shrunk again: by half
// at each collection.
func memory() uint64 {
	for range 5 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse + stats.StackInuse
}
