package podwatch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// What is kept is small, and the pod that comes out of it is as large as it was: by that it is told whether a debugger fits in.
func TestAPodIsUnpackedAsItWasButForWhatItsDebuggersRun(t *testing.T) {
	pod := newPod("a", "7")
	pod.Annotations = map[string]string{"team": "shop", corev1.LastAppliedConfigAnnotation: "{}"}
	pod.Spec.Containers = []corev1.Container{{Name: "app", Command: []string{"app", "--verbose"}}}
	for _, name := range []string{"debugger-1", "debugger-2"} {
		pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Command: []string{"sh", "-c", strings.Repeat("x", 8000)}, Args: []string{"-e"}},
			TargetContainerName:      "app",
		})
	}
	pod.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{Name: "debugger-1", Image: "busybox:1.36"}}
	want := pod.DeepCopy()

	packed, err := pack(pod)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(packed.encoded); n > 600 {
		t.Errorf("%d bytes are kept of a pod that has %d", n, want.Size())
	}
	got, err := packed.unpack()
	if err != nil {
		t.Fatal(err)
	}
	if lost := want.Size() - got.Size(); lost < 0 || lost > 100 {
		t.Errorf("the pod has %d bytes, and had %d", got.Size(), want.Size())
	}
	delete(want.Annotations, corev1.LastAppliedConfigAnnotation)
	for _, p := range []*corev1.Pod{want, got} {
		for i := range p.Spec.EphemeralContainers {
			p.Spec.EphemeralContainers[i].Command, p.Spec.EphemeralContainers[i].Args = nil, nil
		}
	}
	want.TypeMeta = got.TypeMeta
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
