package podwatch

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// packedPod is a pod as a watch keeps it until somebody asks: encoded, which takes a third of the memory, and without what nobody reads.
type packedPod struct {
	name            string
	resourceVersion string
	encoded         []byte
	commands        []int // of each ephemeral container, how long its command and arguments are
}

// pack changes the pod. It drops who manages which field, kubectl apply's copy of the manifest, and what ephemeral containers run: a
// debugger's time limit is a script of 8 kB, and each that there ever was stays in the pod.
func pack(pod *corev1.Pod) (*packedPod, error) {
	packed := &packedPod{name: pod.Name, resourceVersion: pod.ResourceVersion}
	pod.ManagedFields = nil
	delete(pod.Annotations, corev1.LastAppliedConfigAnnotation)
	for i := range pod.Spec.EphemeralContainers {
		container := &pod.Spec.EphemeralContainers[i]
		packed.commands = append(packed.commands, lengthOf(container.Command)+lengthOf(container.Args))
		container.Command, container.Args = nil, nil
	}
	var err error
	if packed.encoded, err = pod.Marshal(); err != nil {
		return nil, fmt.Errorf("encoding pod %s: %w", pod.Name, err)
	}
	return packed, nil
}

func lengthOf(texts []string) int {
	n := 0
	for _, text := range texts {
		n += len(text)
	}
	return n
}

// unpack returns the pod, as large as it was: a command of blanks stands for each that was dropped, as a pod's size is limited.
func (p *packedPod) unpack() (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := pod.Unmarshal(p.encoded); err != nil {
		return nil, fmt.Errorf("decoding the pod: %w", err)
	}
	for i, length := range p.commands {
		if length > 0 {
			pod.Spec.EphemeralContainers[i].Command = []string{strings.Repeat(" ", length)}
		}
	}
	return pod, nil
}
