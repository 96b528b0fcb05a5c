package command

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/terminal"
)

// screen is what was shown.
type screen struct {
	mu    sync.Mutex
	shown bytes.Buffer
}

func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(text)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// Who waits for a debugger is told what the kubelet's events say that it pulls; who may not read them is told what is known without.
func TestWaitingTellsOfThePull(t *testing.T) {
	started := metav1.Now()
	session := &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{Name: "hang", Namespace: "shop", UID: "1"},
		Spec:       v1alpha1.DebugSessionSpec{Mode: v1alpha1.ModeEphemeralContainer, Debugger: v1alpha1.Debugger{Image: "big:1"}},
		Status: v1alpha1.DebugSessionStatus{
			Phase: v1alpha1.PhaseStarting, Reason: v1alpha1.ReasonStarting, StartedAt: &started,
			Target: &v1alpha1.TargetStatus{PodName: "web"}, Debugger: &v1alpha1.DebuggerStatus{PodName: "web", ContainerName: "debugger-1"},
		},
	}
	for status, want := range map[int]string{
		http.StatusOK:        "pulling registry.example.com/big:1\n",
		http.StatusForbidden: "starting big:1 in pod web\n",
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			asked := make(chan string, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch {
				case strings.HasSuffix(r.URL.Path, "/events"):
					asked <- r.URL.Query().Get("fieldSelector")
					w.WriteHeader(status)
					_ = json.NewEncoder(w).Encode(
						corev1.EventList{Items: []corev1.Event{{Reason: "Pulling", Message: `Pulling image "registry.example.com/big:1"`}}})
				case r.URL.Query().Get("watch") != "":
					w.WriteHeader(http.StatusMethodNotAllowed)
				default:
					_ = json.NewEncoder(w).Encode(session)
				}
			}))
			defer server.Close()
			config := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(config,
				[]byte("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: '"+server.URL+"'}}]\n"+
					"contexts: [{name: a, context: {cluster: a, namespace: shop}}]\ncurrent-context: a\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			flags := genericclioptions.NewConfigFlags(true)
			flags.KubeConfig = &config
			said := &screen{}
			env := &environment{IOStreams: genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &bytes.Buffer{}, ErrOut: said},
				config: flags, now: time.Now}
			conn, err := env.connect()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			v := &visit{environment: env, conn: conn, tty: terminal.New(env.IOStreams, false), tracker: conn.Track(ctx, session)}
			waited := make(chan error)
			go func() {
				_, err := v.await(ctx)
				waited <- err
			}()
			var selector string
			select {
			case selector = <-asked:
			case <-ctx.Done():
			}
			for !strings.Contains(said.String(), want) && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			cancel()
			if err := <-waited; err == nil {
				t.Error("it waited for nothing")
			}
			if !strings.Contains(selector, "involvedObject.fieldPath=spec.ephemeralContainers{debugger-1}") ||
				!strings.Contains(selector, "involvedObject.name=web") {
				t.Errorf("asked for the events of %s", selector)
			}
			if !strings.Contains(said.String(), want) {
				t.Errorf("status %d: no %q in\n%s", status, want, said.String())
			}
		})
	}
}
