package main

import (
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/internal/debugpod"
)

// wrapperName is $0 of the script around a debugger's command. Its first argument is when the debugger ends by itself.
const wrapperName = "debugsession"

// exitKilled is the exit code of a process that was ended by SIGKILL.
const exitKilled = 137

// containers is what runs on the node: for each pod its ephemeral containers by name.
type containers struct {
	mu   sync.Mutex
	pods map[types.UID]map[string]*container
}

type container struct {
	started, endsAt time.Time // endsAt is zero for a container that has no end of its own
	ended           *corev1.ContainerStateTerminated
	told            bool // the API server knows of its present state
}

// look starts what the pod's spec asks for and ends what is over. It returns what of the pod's status has to be told, nil
// if all is known, and when to look again, if that is known.
func (c *containers) look(pod *corev1.Pod, now time.Time) (status *corev1.PodStatus, endsAt time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status = &corev1.PodStatus{}
	news := false
	for i := range pod.Spec.EphemeralContainers {
		spec := &pod.Spec.EphemeralContainers[i]
		it := c.started(pod.UID, spec, now)
		if it.ended == nil && !it.endsAt.IsZero() && !now.Before(it.endsAt) {
			it.end(debugpod.ExitDeadline, debugpod.AtDeadline, now)
		}
		if it.ended == nil && !it.endsAt.IsZero() && (endsAt.IsZero() || it.endsAt.Before(endsAt)) {
			endsAt = it.endsAt
		}
		news = news || !it.told
		status.EphemeralContainerStatuses = append(status.EphemeralContainerStatuses, it.status(spec.Name, spec.Image))
	}
	if isCopy(pod) && pod.Status.Phase != corev1.PodRunning {
		news = true
		status.Phase = corev1.PodRunning
		for i := range pod.Spec.Containers {
			runs := container{started: now}
			status.ContainerStatuses = append(status.ContainerStatuses, runs.status(pod.Spec.Containers[i].Name, pod.Spec.Containers[i].Image))
		}
	}
	if !news {
		return nil, endsAt
	}
	return status, endsAt
}

// started returns an ephemeral container, which starts when it is first looked at.
func (c *containers) started(pod types.UID, spec *corev1.EphemeralContainer, now time.Time) *container {
	if c.pods[pod] == nil {
		c.pods[pod] = map[string]*container{}
	}
	it := c.pods[pod][spec.Name]
	if it == nil {
		it = &container{started: now, endsAt: ownEnd(spec.Command)}
		c.pods[pod][spec.Name] = it
	}
	return it
}

// ownEnd is when a debugger ends by itself, as the wrapper around its command reads it; zero if it has none.
func ownEnd(command []string) time.Time {
	at := slices.Index(command, wrapperName)
	if at < 0 || at+1 == len(command) {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(command[at+1], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// told notes what the API server has been told of a pod. A container that has ended since is told of anew.
func (c *containers) told(pod *corev1.Pod, status *corev1.PodStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range status.EphemeralContainerStatuses {
		known := &status.EphemeralContainerStatuses[i]
		if it := c.pods[pod.UID][known.Name]; it != nil {
			it.told = (it.ended == nil) == (known.State.Terminated == nil)
		}
	}
}

// kill ends a container, if it runs.
func (c *containers) kill(pod types.UID, name string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if it := c.pods[pod][name]; it != nil && it.ended == nil {
		it.end(exitKilled, "", now)
	}
}

func (c *containers) forget(pod types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pods, pod)
}

func (c *container) end(code int32, message string, now time.Time) {
	c.told = false
	c.ended = &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: "Error", Message: message, StartedAt: metav1.NewTime(c.started), FinishedAt: metav1.NewTime(now),
	}
}

func (c *container) status(name, image string) corev1.ContainerStatus {
	status := corev1.ContainerStatus{
		Name: name, Image: image, ImageID: image + "@sha256:6d9ac9237a84afe1516540f40a0fafdc86859b2141954b4d643af7066d598b74",
	}
	if c.ended != nil {
		status.State.Terminated = c.ended
	} else {
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.started)}
	}
	return status
}
