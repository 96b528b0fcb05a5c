package fakekubelet

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Runtime is what runs on a node whose kubelet starts everything at once: for each pod its ephemeral containers by name. It remembers what
// the API server has been told, so that each state is told once.
type Runtime struct {
	mu   sync.Mutex
	pods map[types.UID]map[string]*container
}

// NewRuntime returns a node on which nothing runs.
func NewRuntime() *Runtime { return &Runtime{pods: map[types.UID]map[string]*container{}} }

type container struct {
	endsAt time.Time // zero for a container that has no end of its own
	state  corev1.ContainerState
	told   bool // the API server knows of its present state
}

// Look starts what the pod's spec asks for and ends what is over. Of pods that are nobody's only the ephemeral containers are started. It
// returns what of the pod's status has to be told, nil if all is known, and when to look again, if that is known.
func (r *Runtime) Look(pod *corev1.Pod, now time.Time) (status *corev1.PodStatus, endsAt time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := &corev1.Pod{Spec: pod.Spec}
	news := false
	for i := range pod.Spec.EphemeralContainers {
		spec := &pod.Spec.EphemeralContainers[i]
		it := r.started(pod.UID, spec, now)
		if it.runs() && !it.endsAt.IsZero() && !now.Before(it.endsAt) {
			it.end(AtDeadline(now))
		}
		if it.runs() && !it.endsAt.IsZero() && (endsAt.IsZero() || it.endsAt.Before(endsAt)) {
			endsAt = it.endsAt
		}
		news = news || !it.told
		Set(said, spec.Name, it.state)
	}
	if metav1.GetControllerOf(pod) != nil && pod.Status.Phase != corev1.PodRunning {
		news = true
		Start(said, now)
	}
	if !news {
		return nil, endsAt
	}
	return &said.Status, endsAt
}

// started returns an ephemeral container, which starts when it is first looked at.
func (r *Runtime) started(pod types.UID, spec *corev1.EphemeralContainer, now time.Time) *container {
	if r.pods[pod] == nil {
		r.pods[pod] = map[string]*container{}
	}
	it := r.pods[pod][spec.Name]
	if it == nil {
		endsAt, _ := Deadline(spec.Command) // what reads no deadline there has none
		it = &container{endsAt: endsAt, state: Running(now)}
		r.pods[pod][spec.Name] = it
	}
	return it
}

// Told notes what the API server has been told of a pod. A container that has ended since is told of anew.
func (r *Runtime) Told(pod *corev1.Pod, status *corev1.PodStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range status.EphemeralContainerStatuses {
		known := &status.EphemeralContainerStatuses[i]
		if it := r.pods[pod.UID][known.Name]; it != nil {
			it.told = it.runs() == (known.State.Terminated == nil)
		}
	}
}

// Kill ends a container, if it runs.
func (r *Runtime) Kill(pod types.UID, name string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if it := r.pods[pod][name]; it != nil && it.runs() {
		it.end(Killed(now))
	}
}

// Forget is for a pod that is gone.
func (r *Runtime) Forget(pod types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pods, pod)
}

func (c *container) runs() bool { return c.state.Running != nil }

func (c *container) end(ended corev1.ContainerState) {
	c.state, c.told = endOf(c.state, ended), false
}
