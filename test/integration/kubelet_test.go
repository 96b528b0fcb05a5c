package integration

import (
	"context"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fakekubelet"
	"debugsession.dev/operator/internal/fakekubelet/live"
)

// kubelet says what a kubelet would say of pods, when a test has it say so. As an Executor it stops containers. What runs with a
// deadline around it ends then by itself.
type kubelet struct {
	mu    sync.Mutex
	execs []string
	fail  func() error
	stuck string // the name of a pod whose containers do not answer

	watchdogs fakekubelet.Watchdogs
}

// live is the part that is of no test in particular. The client is there once the suite has begun.
func (k *kubelet) live() *live.Kubelet { return &live.Kubelet{Client: k8s, Watchdogs: &k.watchdogs} }

// Exec stands for what the operator runs in a container: the sweep, by which its main process ends, and what tells its
// watchdog of another deadline.
func (k *kubelet) Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error {
	k.mu.Lock()
	k.execs = append(k.execs, pod.Name+"/"+container)
	fail, stuck := k.fail, k.stuck == pod.Name
	k.mu.Unlock()
	if stuck {
		return hang(ctx)
	}
	if fail != nil {
		return fail()
	}
	if err := k.live().Exec(ctx, pod, container, command); err != nil || slices.Equal(command, debugpod.KillCommand()) {
		return err
	}
	return k.guard(ctx, pod, container)
}

// hang is how a command goes that never ends: it is given up.
func hang(ctx context.Context) error {
	ctx, giveUp := context.WithTimeout(ctx, 15*time.Second)
	defer giveUp()
	<-ctx.Done()
	return ctx.Err()
}

// answers sets how the node answers from now on.
func (k *kubelet) answers(err error) {
	if err == nil {
		k.answersBy(nil)
		return
	}
	k.answersBy(func() error { return err })
}

// answersBy sets what the node answers from now on to each command.
func (k *kubelet) answersBy(what func() error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = what
}

// executed counts the commands that were run in a session's debugger.
func (k *kubelet) executed(session *v1alpha1.DebugSession) func() int {
	debugger := session.Status.Debugger.PodName + "/" + session.Status.Debugger.ContainerName
	return func() (count int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, exec := range k.execs {
			if exec == debugger {
				count++
			}
		}
		return count
	}
}

func running() corev1.ContainerState { return fakekubelet.Running(time.Now()) }

func exited(code int32, reason, message string) corev1.ContainerState {
	state := fakekubelet.Exited(time.Now(), code, reason, message)
	state.Terminated.StartedAt = state.Terminated.FinishedAt
	return state
}

// guard ends a debugger at its deadline, unless it is told of another one meanwhile.
func (k *kubelet) guard(ctx context.Context, key types.NamespacedName, container string) error {
	pod := &corev1.Pod{}
	if err := k8s.Get(ctx, key, pod); err != nil {
		return err
	}
	ends, err := k.watchdogs.Deadline(pod, container)
	if err != nil || ends.IsZero() {
		return err
	}
	time.AfterFunc(time.Until(ends), func() {
		if told, err := k.watchdogs.Deadline(pod, container); err == nil && told.Equal(ends) {
			_ = k.live().Exit(context.Background(), key, container, fakekubelet.AtDeadline(time.Now())) // the pod may be gone
		}
	})
	return nil
}

func runs(pod *corev1.Pod, container string) bool {
	return fakekubelet.State(pod, container).Running != nil
}

// set has the kubelet say that of a container, and brings the pod up to date.
func (k *kubelet) set(ctx context.Context, pod *corev1.Pod, container string, state corev1.ContainerState) error {
	now, err := k.live().Change(ctx, client.ObjectKeyFromObject(pod), func(p *corev1.Pod) { fakekubelet.Set(p, container, state) })
	if err != nil {
		return err
	}
	*pod = *now
	if state.Running == nil ||
		!slices.ContainsFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == container }) {
		return nil
	}
	return k.guard(ctx, client.ObjectKeyFromObject(pod), container)
}

// runningPod creates a pod that is on a node and runs.
func runningPod(ctx context.Context, namespace, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName:   "node-1",
			Containers: []corev1.Container{{Name: "app", Image: "app:1"}, {Name: "proxy", Image: "proxy:1"}},
		},
	}
	for _, c := range change {
		c(pod)
	}
	Expect(k8s.Create(ctx, pod)).To(Succeed())
	base := pod.DeepCopy()
	fakekubelet.Start(pod, time.Now())
	Expect(k8s.Status().Patch(ctx, pod, client.MergeFrom(base))).To(Succeed())
	return pod
}
