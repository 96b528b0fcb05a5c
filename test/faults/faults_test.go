// Package faults breaks whole sessions at every call that the operator makes and at every event that it is told, one at a
// time, and checks the invariants of the design after each. See README.md.
package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/config/identity"
	"debugsession.dev/operator/internal/fakekubelet"
	"debugsession.dev/operator/internal/fakekubelet/live"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/ports"
)

// atOnce is how many sessions are driven at a time: they mostly wait.
const atOnce = 24

var (
	scheme     = runtime.NewScheme()
	restConfig *rest.Config
	k8s        client.WithWatch // as the cluster's administrator
	alice, bob client.Client    // who ask and approve
	players    *kubelet
	past       *history
)

// TestFaults visits every point, or those that the regular expression in FAULTS matches.
func TestFaults(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver; make test-integration builds them")
	}
	wanted, err := regexp.Compile(os.Getenv("FAULTS"))
	if err != nil {
		t.Fatalf("FAULTS is no regular expression: %v", err)
	}
	startCluster(t)
	began, all := time.Now(), scenarios()
	slices.SortFunc(all, func(a, b scenario) int { return strings.Compare(a.name, b.name) })
	var unharmed []*run
	each(t, plain(all), func(r *run, violations []string) {
		if len(violations) > 0 {
			t.Errorf("%s, without faults:\n  %s\n  %s", r.scenario.name, strings.Join(violations, "\n  "), r.story())
		}
		unharmed = append(unharmed, r)
	})
	if t.Failed() {
		return
	}
	var runs []*run
	for _, r := range visits(unharmed) {
		if wanted.MatchString(r.scenario.name + "/" + r.injector.fault.String()) {
			runs = append(runs, r)
		}
	}
	visited, missed, wrong := 0, 0, 0
	each(t, runs, func(r *run, violations []string) {
		visited++
		if !r.injector.reached {
			missed++
		}
		if len(violations) > 0 {
			wrong++
			t.Errorf("%s/%s:\n  %s\n  %s", r.scenario.name, r.injector.fault, strings.Join(violations, "\n  "), r.story())
		}
	})
	fmt.Printf("faults: %d scenarios, %d points (%d not met again), %d violations, %v\n",
		len(all), visited, missed, wrong, time.Since(began).Round(time.Second))
}

func plain(all []scenario) []*run {
	runs := make([]*run, 0, len(all))
	for _, s := range all {
		runs = append(runs, &run{scenario: s, injector: &injector{}})
	}
	return runs
}

// visits are the runs with a fault: one for each point of each run without, but for what is the same again. Sessions that are alike but for their
// ends are the same until those begin: a point before is visited in one of them, in each by turns.
func visits(unharmed []*run) []*run {
	slices.SortFunc(unharmed, func(a, b *run) int { return strings.Compare(a.scenario.name, b.scenario.name) })
	var all []*run
	alike := map[string][]*run{}
	for _, r := range unharmed {
		for _, p := range points(r.injector) {
			visit := &run{scenario: r.scenario, injector: &injector{fault: &p}}
			if r.injector.ending(&p) {
				all = append(all, visit)
				continue
			}
			key := fmt.Sprintf("%s %s/%s.%d", r.scenario.beginning(), p.pattern, p.name, p.nth)
			alike[key] = append(alike[key], visit)
		}
	}
	for turn, key := range slices.Sorted(maps.Keys(alike)) {
		all = append(all, alike[key][turn%len(alike[key])])
	}
	return all
}

// points are all places where a run without faults could have gone wrong, but for those that are the same as another. A read changes
// nothing: whether it fails or its answer is lost, the operator sees the same error of the same cluster. And an operator that dies at a
// read leaves what it left when it died at an earlier call, unless something was written since, or it was told of a change. How old the
// state is that the next one sees is another with each call.
func points(i *injector) []point {
	var all []point
	died := -1 // how many events had come where the operator died last
	for index, numbered := range i.calls {
		name, nth := split(numbered)
		read := isRead(name)
		patterns := []pattern{failsBefore}
		if !read {
			patterns = append(patterns, answerLost)
		}
		if name != "create-events" { // sent beside the session's life, which does not depend on it
			patterns = append(patterns, staleRestart)
			if !read || i.told[index] > died {
				died = i.told[index]
				patterns = append(patterns, crash)
			}
		}
		// The Deployment has been there since before the session: nothing older is to be read.
		if strings.HasPrefix(name, "get-") && name != "get-pods-log" && name != "get-deployments" {
			patterns = append(patterns, staleRead)
		}
		for _, p := range patterns {
			all = append(all, point{p, name, nth, index + 1})
		}
	}
	for index, numbered := range i.events {
		name, nth := split(numbered)
		all = append(all, point{lateEvent, name, nth, index + 1}, point{missedEvent, name, nth, index + 1})
	}
	return all
}

// isRead reports whether a call changes nothing, in the cluster or in the store.
func isRead(name string) bool {
	verb, what, _ := strings.Cut(name, "-")
	switch verb {
	case "get", "list", "watch", "try", "read", "open", "end":
		return true
	default:
		return what == "subjectaccessreviews"
	}
}

func split(numbered string) (name string, nth int) {
	dot := strings.LastIndex(numbered, ".")
	if _, err := fmt.Sscan(numbered[dot+1:], &nth); err != nil {
		panic(err)
	}
	return numbered[:dot], nth
}

// each drives the runs, several at once, each worker in a namespace of its own, and hands over each with what is wrong.
func each(t *testing.T, runs []*run, done func(*run, []string)) {
	t.Helper()
	var mu sync.Mutex
	var workers sync.WaitGroup
	queue := make(chan *run)
	for w := range atOnce {
		workers.Go(func() {
			for r := range queue {
				r.namespace, r.name = fmt.Sprintf("faults-%d", w), "hang"
				r.target = "web"
				r.clock = testclock.NewFakeClock(time.Now())
				r.injector.namespace, r.injector.history, r.injector.clock = r.namespace, past, r.clock
				r.injector.seen, r.injector.crashed = map[string]int{}, make(chan struct{})
				violations := r.whole(t.Context())
				if err := clean(t.Context(), r); err != nil {
					violations = append(violations, "cleaning up: "+err.Error())
				}
				mu.Lock()
				done(r, violations)
				mu.Unlock()
			}
		})
	}
	for _, r := range runs {
		queue <- r
	}
	close(queue)
	workers.Wait()
}

// clean empties a namespace for the next run, and forgets what was in it.
func clean(ctx context.Context, r *run) error {
	namespace := r.namespace
	if r.scenario.template {
		if err := k8s.DeleteAllOf(ctx, &appsv1.Deployment{}, client.InNamespace(namespace)); err != nil {
			return err
		}
	}
	tried := map[string]bool{} // by version: the watch tells what became of it
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		for _, object := range past.present(namespace) {
			if version := object.GetResourceVersion(); !tried[version] {
				tried[version] = true
				if err := discard(ctx, object.DeepCopyObject().(client.Object)); err != nil {
					return err
				}
			}
		}
		if len(past.present(namespace)) == 0 {
			left, err := remaining(ctx, namespace)
			if err != nil {
				return err
			}
			if left == 0 {
				past.forget(namespace)
				return nil
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d objects are left in %s", len(past.present(namespace)), namespace)
		}
	}
}

// remaining counts what is in a namespace: the test's watch may lag.
func remaining(ctx context.Context, namespace string) (left int, err error) {
	for _, newList := range followed {
		list := newList()
		if err := k8s.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return 0, err
		}
		left += meta.LenList(list)
	}
	return left, nil
}

// discard deletes an object, whoever holds it. One that is changed meanwhile is left for the next turn.
func discard(ctx context.Context, object client.Object) error {
	if len(object.GetFinalizers()) > 0 {
		object.SetFinalizers(nil)
		err := k8s.Update(ctx, object)
		if apierrors.IsConflict(err) {
			return nil
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return client.IgnoreNotFound(k8s.Delete(ctx, object, client.GracePeriodSeconds(0)))
}

// present are the last versions of all objects that were not seen to go.
func (h *history) present(namespace string) []client.Object {
	var all []client.Object
	for resource := range followed {
		last := map[types.UID]version{}
		for _, v := range h.of(namespace, resource) {
			last[v.object.GetUID()] = v
		}
		for _, v := range last {
			if !v.gone {
				all = append(all, v.object)
			}
		}
	}
	return all
}

// startCluster starts an API server with the kinds, the classes, and the operator's admission, which does not depend on one of
// the operators that are broken.
func startCluster(t *testing.T) {
	t.Helper()
	logf.SetLogger(logr.Discard())
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true, Scheme: scheme,
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	var err error
	if restConfig, err = environment.Start(); err != nil {
		t.Fatal(err)
	}
	restConfig.QPS = -1
	if k8s, err = client.NewWithWatch(restConfig, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	if alice, err = as("alice"); err != nil {
		t.Fatal(err)
	}
	if bob, err = as("bob"); err != nil {
		t.Fatal(err)
	}
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	players = &kubelet{live.Kubelet{Client: k8s, Watchdogs: &fakekubelet.Watchdogs{}}}
	if past, err = follow(t.Context(), k8s, players.saw); err != nil {
		t.Fatal(err)
	}
	if err := furnish(t.Context()); err != nil {
		t.Fatal(err)
	}
	hooks := envtest.WebhookInstallOptions{
		Paths:                        []string{filepath.Join("..", "..", "config", "webhook", "manifests.yaml")},
		LocalServingHostExternalName: "localhost", LocalServingPort: port,
	}
	if err := hooks.Install(restConfig); err != nil {
		t.Fatal(err)
	}
	admit(t, port)
	enforced(t)
}

// enforced waits until what is created is trusted: the API server holds requesters by a policy two seconds after that was created.
func enforced(t *testing.T) {
	t.Helper()
	policy, err := identities()
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range policy {
		if err := k8s.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(object.GetCreationTimestamp().Add(3 * time.Second)))
	}
}

func furnish(ctx context.Context) error {
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operator.DefaultNamespace}}}
	for w := range atOnce {
		namespace := fmt.Sprintf("faults-%d", w)
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}})
	}
	objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}})
	for w := range atOnce {
		namespace := fmt.Sprintf("faults-%d", w)
		class := fixture.Class()
		class.ObjectMeta = metav1.ObjectMeta{Name: classNodes + namespace}
		class.Spec.Modes, class.Spec.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, namespace
		networks := class.DeepCopy()
		networks.Name, networks.Spec.PodNetworks = classNetworks+namespace, &v1alpha1.PodNetworkPolicy{}
		fixture.Approvals(1)(&networks.Spec)
		objects = append(objects, class, networks)
	}
	for _, name := range []string{classOpen, classApproved, classRecorded, classEmergency, classTranscribed, classKeeping} {
		class := fixture.Class()
		class.ObjectMeta = metav1.ObjectMeta{Name: name}
		if name == classRecorded || name == classEmergency || name == classTranscribed {
			class.Spec.Audit = v1alpha1.AuditRequired
		}
		if name == classKeeping {
			class.Spec.Audit, class.Spec.Artifacts = v1alpha1.AuditRequired, &v1alpha1.ArtifactPolicy{}
		}
		if name == classTranscribed {
			class.Spec.Transcript = v1alpha1.TranscriptRequired
		}
		if name == classEmergency {
			fixture.Approvals(1)(&class.Spec)
			class.Spec.Approval.Emergency = &v1alpha1.EmergencyPolicy{ReviewWithin: metav1.Duration{Duration: 24 * time.Hour}}
		}
		if name == classApproved {
			fixture.Approvals(1)(&class.Spec)
			class.Spec.Access = &v1alpha1.AccessPolicy{Verbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessLogs}}
		}
		objects = append(objects, class)
	}
	policy, err := identities()
	if err != nil {
		return err
	}
	for _, object := range append(objects, policy...) {
		if err := k8s.Create(ctx, object); err != nil {
			return fmt.Errorf("%T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// admit runs an operator that is not broken and never leads: it answers the API server for all that are.
func admit(t *testing.T, port int) {
	t.Helper()
	now := metav1.NowMicro()
	held := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: operator.DefaultNamespace, Name: "admission"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("nobody"), LeaseDurationSeconds: ptr.To[int32](24 * 3600), AcquireTime: &now, RenewTime: &now,
		},
	}
	if err := k8s.Create(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	mgr, err := operator.New(restConfig, manager.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		LeaderElection: true, LeaderElectionID: held.Name, LeaderElectionNamespace: held.Namespace,
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	}, operator.Options{
		Registry: prometheus.NewRegistry(),
		Webhook:  operator.WebhookOptions{Host: "localhost", Port: port, ExtraNames: []string{"localhost"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(ended)
		_ = mgr.Start(ctx) // it says that it does not lead
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		session := fixture.Session(fixture.Unsent("faults-0", "ready"), fixture.Of("nothing"))
		session.Spec.ClassName, session.Spec.Requester = classOpen, nil
		if err = alice.Create(t.Context(), session, client.DryRunAll); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("sessions cannot be created: %v", err)
		}
	}
}

// as is somebody who may do anything.
func as(name string) (client.Client, error) {
	somebody := rest.CopyConfig(restConfig)
	somebody.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:masters"}}
	return client.New(somebody, client.Options{Scheme: scheme})
}

// identities are the policy by which the API server holds them, and its binding.
func identities() ([]client.Object, error) {
	documents := strings.Split(string(identity.Manifests), "\n---\n")
	policy, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	return []client.Object{policy, binding},
		errors.Join(yaml.Unmarshal([]byte(documents[0]), policy), yaml.Unmarshal([]byte(documents[1]), binding))
}
