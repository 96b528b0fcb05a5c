package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/blobtest"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/ports"
)

const (
	patience = 45 * time.Second       // within which a session gets where it has to
	idle     = 4 * time.Second        // after which the operator's timers are made to fire
	quiet    = 150 * time.Millisecond // without a request: the operator is at rest
	timers   = 20 * time.Second       // how far the clock is then stepped: past the pause between two looks
)

// run is one session with one fault, or none.
type run struct {
	scenario  scenario
	namespace string
	name      string
	target    string
	injector  *injector
	clock     *testclock.FakeClock
	vault     *blobtest.Memory // what the run's operators store; nil if its class requires no record
	vaultName string
	pokes     int
	command   chan struct{} // closed when the debugger's command has ended, whose files are kept
	stop      func()
	failure   error // of the operator that was stopped last
	restarts  int
}

// whole drives the session from its creation to its end, and returns what is wrong with what the API server has seen.
func (r *run) whole(ctx context.Context) (violations []string) {
	defer func() { r.stop() }()
	r.stop = func() {}
	if err := r.prepare(ctx); err != nil {
		return []string{"preparing: " + err.Error()}
	}
	if err := r.live(ctx); err != nil {
		return append(r.check(ctx), err.Error())
	}
	return r.check(ctx)
}

func (r *run) prepare(ctx context.Context) error {
	if r.scenario.recorded() {
		r.vault, r.vaultName = &blobtest.Memory{}, "mem://"+string(uuid.NewUUID())
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.target, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{NodeName: nodeName, Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
	}
	if err := k8s.Create(ctx, pod); err != nil {
		return err
	}
	if err := players.Start(ctx, client.ObjectKeyFromObject(pod)); err != nil {
		return err
	}
	r.command = make(chan struct{})
	if r.scenario.class == classNetworks {
		address := func(pod *corev1.Pod) { pod.Status.PodIPs = []corev1.PodIP{{IP: "10.1.2.3"}} }
		if _, err := players.Change(ctx, client.ObjectKeyFromObject(pod), address); err != nil {
			return err
		}
	}
	if r.scenario.template {
		if err := k8s.Create(ctx, r.idle()); err != nil {
			return err
		}
	}
	return r.startOperator(ctx, true)
}

// idle is a workload that is scaled to zero.
func (r *run) idle() *appsv1.Deployment {
	labels := map[string]string{"app": r.name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{
					{Name: "app", Image: "app:1", Env: []corev1.EnvVar{{Name: "LEVEL", Value: "info"}}},
				}},
			},
		},
	}
}

func (r *run) live(ctx context.Context) error {
	r.injector.arm()
	if err := r.ask(ctx); err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	approved, crashed := !r.scenario.approved(), !r.scenario.waits()
	session, err := r.until(ctx, "to run", func(s *v1alpha1.DebugSession) (bool, error) {
		if s == nil {
			return false, fmt.Errorf("the session is gone before its end")
		}
		if !approved && s.Status.Phase == v1alpha1.PhaseAwaitingApproval && s.Status.Request != nil {
			approved = true
			return false, r.decide(ctx, v1alpha1.DecisionApprove)
		}
		if armed := s.Status.Armed; !crashed && armed != nil && armed.Since != nil {
			crashed = true
			return false, r.crash(ctx, armed)
		}
		begins := r.scenario.early && s.Status.Phase == v1alpha1.PhaseStarting
		return begins || s.Status.Phase == v1alpha1.PhaseActive || s.Status.Phase == v1alpha1.PhaseEnded, nil
	})
	if err != nil {
		return err
	}
	if session.Status.Phase == v1alpha1.PhaseEnded {
		return fmt.Errorf("it ended before it ran: %s: %s", session.Status.Outcome, session.Status.Reason)
	}
	r.injector.end()
	if err := r.scenario.end(ctx, r); err != nil {
		return fmt.Errorf("ending: %w", err)
	}
	_, err = r.until(ctx, "to end", func(s *v1alpha1.DebugSession) (bool, error) {
		return s == nil || s.Status.Phase == v1alpha1.PhaseEnded && len(s.Finalizers) == 0, nil
	})
	if err != nil || r.scenario.after == nil {
		return err
	}
	return r.scenario.after(ctx, r)
}

// store is where records are stored, with each call through around; nil if none are.
func (r *run) store(around blobtest.Around) *auditstore.Store {
	if r.vault == nil {
		return nil
	}
	return auditstore.New(r.vault.Open(around), r.vaultName)
}

// until waits for the session, restarts the operator if it crashes, and has its timers fire if nothing happens.
func (r *run) until(ctx context.Context, what string, done func(*v1alpha1.DebugSession) (bool, error)) (*v1alpha1.DebugSession, error) {
	end, calls, since := time.Now().Add(patience), -1, time.Now()
	for time.Now().Before(end) {
		select {
		case <-r.injector.crashed:
			r.injector.crashed = nil
			r.stop()
			if err := r.startOperator(ctx, false); err != nil {
				return nil, err
			}
			r.restarts++
		default:
		}
		session := r.latest()
		if ok, err := done(session); ok || err != nil {
			return session, err
		}
		if now := r.injector.count(); now != calls {
			calls, since = now, time.Now()
		} else if time.Since(since) > idle {
			since = time.Now()
			r.clock.Step(timers)
			if err := r.poke(ctx); err != nil {
				return nil, err
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	session := r.latest()
	if session == nil {
		return nil, fmt.Errorf("waited in vain for the session %s: there is none", what)
	}
	return nil, fmt.Errorf("waited in vain for the session %s: it is %s: %s: %s; deleted: %v; finalizers: %v", what, session.Status.Phase,
		session.Status.Reason, session.Status.WaitingFor, session.DeletionTimestamp != nil, session.Finalizers)
}

// versions are those of the session that was asked for, or of its member.
func (r *run) versions(ofMember bool) []version {
	return slices.DeleteFunc(slices.Clone(r.injector.history.of(r.namespace, "debugsessions")), func(v version) bool {
		return (v.object.GetName() != r.name) != ofMember
	})
}

// member is the session's member, of which there is one.
func (r *run) member() *v1alpha1.DebugSession {
	versions := r.versions(true)
	return versions[len(versions)-1].object.(*v1alpha1.DebugSession).DeepCopy()
}

// latest is the session as the test's watch has it; nil if it is gone.
func (r *run) latest() *v1alpha1.DebugSession {
	versions := r.versions(false)
	if len(versions) == 0 {
		return &v1alpha1.DebugSession{}
	}
	last := versions[len(versions)-1]
	if last.gone {
		return nil
	}
	return last.object.(*v1alpha1.DebugSession)
}

// startOperator starts what operator.New returns, limited to the run's namespace.
func (r *run) startOperator(ctx context.Context, wait bool) error {
	generation := r.injector.current()
	connect := rest.CopyConfig(restConfig)
	connect.Wrap(func(next http.RoundTripper) http.RoundTripper { return &transport{next, r.injector, generation} })
	port, err := ports.Free()
	if err != nil {
		return err
	}
	kubelet := &node{r.injector, generation, players, r.scenario.hangs, r.command}
	mgr, err := operator.New(connect, manager.Options{
		Scheme:                 scheme,
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		Controller:             config.Controller{SkipNameValidation: ptr.To(true)},
		Cache:                  cache.Options{DefaultNamespaces: map[string]cache.Config{r.namespace: {}}},
		MapperProvider:         func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return k8s.RESTMapper(), nil },
	}, operator.Options{
		Concurrency: 1, Clock: r.clock, Registry: prometheus.NewRegistry(),
		Exec: kubelet, Logs: kubelet, Transcribed: kubelet, Collected: kubelet, Image: "operator:1",
		Audit: operator.AuditOptions{Store: r.store(func(call, key string, do func() error) error {
			kind, _, _ := strings.Cut(key, "/") // a record, a link, a part of a transcript, or what the store is tried by
			return r.injector.around(generation, call+"-"+kind, do)
		})},
		Webhook: operator.WebhookOptions{Host: "localhost", Port: port},
	})
	if err != nil {
		return fmt.Errorf("making the operator: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.failure = mgr.Start(ctx)
	}()
	r.stop = func() {
		cancel()
		<-ended
	}
	if wait && !mgr.GetCache().WaitForCacheSync(ctx) {
		return fmt.Errorf("the operator's caches do not fill")
	}
	return nil
}

func (i *injector) current() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.generation
}

// blind is how long a watch that has expired may be away: client-go pauses before it lists anew.
const blind = 3 * time.Second

// watchesAgain waits until approvals are watched again of which an event was missed: until then they are not as the operator knows them.
func (r *run) watchesAgain() {
	f := r.injector.fault
	if f == nil || f.pattern != missedEvent || f.name != "event-debugapprovals" {
		return
	}
	for end := time.Now().Add(blind); !r.injector.after("watch-debugapprovals") &&
		time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
}

// after reports whether such a call was made since the fault.
func (i *injector) after(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	fault := slices.IndexFunc(i.calls, func(call string) bool { return strings.HasPrefix(call, "<-") })
	return fault >= 0 && slices.ContainsFunc(i.calls[fault:], func(call string) bool { return strings.HasPrefix(call, name+".") })
}

// rest waits until the operator has asked nothing for a moment.
func (r *run) rest() {
	r.watchesAgain()
	pause := quiet
	if f := r.injector.fault; f != nil &&
		(f.pattern == staleRestart || f.pattern == lateEvent || f.pattern == missedEvent || f.pattern == crash) {
		pause = standstill + 2*quiet // a watch may stand still
	}
	calls, since := r.injector.count(), time.Now()
	for end := time.Now().Add(patience); time.Since(since) < pause && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if now := r.injector.count(); now != calls {
			calls, since = now, time.Now()
		}
	}
}

func (r *run) story() string {
	r.injector.mu.Lock()
	defer r.injector.mu.Unlock()
	return fmt.Sprintf("calls: %s; events: %s; restarts: %d; pokes: %d; the operator stopped with: %v",
		strings.Join(r.injector.calls, " "), strings.Join(r.injector.events, " "), r.restarts, r.pokes, r.failure)
}
