package debugpod

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"pgregory.net/rapid"

	"debugsession.dev/operator/api/v1alpha1"
)

// fuzzed returns an object with every field set at random, those that Kubernetes may yet add included.
func fuzzed[T any](seed int64) *T {
	filler := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(seed), serializer.NewCodecFactory(runtime.NewScheme()))
	object := new(T)
	filler.Fill(object)
	return object
}

func drawTarget(t *rapid.T) *corev1.Pod {
	pod := fuzzed[corev1.Pod](rapid.Int64().Draw(t, "pod seed"))
	for i := range pod.Spec.Containers {
		pod.Spec.Containers[i].Name = fmt.Sprintf("app-%d", i)
	}
	for i := range pod.Spec.InitContainers {
		pod.Spec.InitContainers[i].Name = fmt.Sprintf("init-%d", i)
	}
	if pod.Spec.OS != nil {
		pod.Spec.OS.Name = rapid.SampledFrom([]corev1.OSName{corev1.Linux, corev1.Windows}).Draw(t, "os")
	}
	return pod
}

func drawSession(t *rapid.T, target *corev1.Pod) *v1alpha1.DebugSession {
	bools := rapid.Bool()
	session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: target.Namespace, Name: "session", UID: uidA}}
	session.Spec.Profile = rapid.SampledFrom(append(v1alpha1.Profiles(), "")).Draw(t, "profile")
	session.Spec.Debugger = *fuzzed[v1alpha1.Debugger](rapid.Int64().Draw(t, "debugger seed"))
	session.Spec.Debugger.VolumeMounts, session.Spec.Debugger.Container = nil, ""
	session.Spec.Debugger.MountsFrom, session.Spec.Debugger.RunAs = "", ""
	if len(target.Spec.Containers) > 0 && bools.Draw(t, "mounts the target's volumes") {
		session.Spec.Debugger.MountsFrom = target.Spec.Containers[0].Name
	}
	if bools.Draw(t, "runs as the target") {
		session.Spec.Debugger.RunAs = v1alpha1.RunAsFromTarget
	}
	if len(target.Spec.Containers) > 0 && bools.Draw(t, "takes a container over") {
		session.Spec.Debugger.Container = target.Spec.Containers[0].Name
	}
	for i := range target.Spec.Volumes {
		session.Spec.Debugger.VolumeMounts = append(session.Spec.Debugger.VolumeMounts,
			corev1.VolumeMount{Name: target.Spec.Volumes[i].Name, MountPath: fmt.Sprint("/", i)})
	}
	session.Spec.Debugger.EnvFromTarget = len(target.Spec.Containers) > 0 && session.Spec.Debugger.Container == "" && bools.Draw(t, "has the target's environment")
	session.Spec.ImagePullSecrets = rapid.SampledFrom([][]v1alpha1.ImagePullSecret{nil, {{Name: "a"}}}).Draw(t, "pull secrets")
	if bools.Draw(t, "has options") {
		session.Spec.PodCopy = &v1alpha1.PodCopy{
			SameNode: bools.Draw(t, "same node"),
			Quiesce:  rapid.SampledFrom([][]v1alpha1.QuiescedContainer{nil, {{Name: "*"}}}).Draw(t, "quiesce"),
			Keep: rapid.SliceOfDistinct(
				rapid.SampledFrom([]v1alpha1.Keep{v1alpha1.KeepLabels, v1alpha1.KeepAnnotations, v1alpha1.KeepInitContainers,
					v1alpha1.KeepLivenessProbe, v1alpha1.KeepReadinessProbe, v1alpha1.KeepStartupProbe}),
				func(k v1alpha1.Keep) v1alpha1.Keep { return k }).Draw(t, "keep"),
		}
		for i := range target.Spec.Containers {
			change := fuzzed[v1alpha1.ContainerChange](rapid.Int64().Draw(t, "change seed"))
			change.Name = target.Spec.Containers[i].Name
			session.Spec.PodCopy.Containers = append(session.Spec.PodCopy.Containers, *change)
		}
	}
	session.Status.Target = &v1alpha1.TargetStatus{PodName: target.Name}
	if bools.Draw(t, "joins") {
		session.Status.Target.Container = DefaultContainer(target)
	}
	session.Status.Debugger = &v1alpha1.DebuggerStatus{PodName: CopyName("web", uidA), ContainerName: ContainerName(uidA)}
	left := rapid.Int64Range(-10, 100_000).Draw(t, "milliseconds left")
	session.Status.HardDeadline = &metav1.Time{Time: now.Add(time.Duration(left) * time.Millisecond)}
	return session
}

// text is all of an object, to see whether it was changed.
func text(t *rapid.T, object any) string {
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// same checks that two builds gave the same, and that scribbling over the first reaches neither of the inputs.
func same[T any](t *rapid.T, first, second *T, firstErr, secondErr error, inputs func() string) {
	if (firstErr == nil) != (secondErr == nil) {
		t.Fatalf("built once with error %v and once with %v", firstErr, secondErr)
	}
	if firstErr != nil {
		return
	}
	if a, b := text(t, first), text(t, second); a != b {
		t.Fatalf("two builds differ:\n%s", cmp.Diff(a, b))
	}
	before := inputs()
	scribble(first)
	if after := inputs(); before != after {
		t.Fatalf("what was built shares memory with its input:\n%s", cmp.Diff(before, after))
	}
}

func TestEphemeralProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := drawTarget(t)
		session := drawSession(t, target)
		inputs := func() string { return text(t, target) + text(t, session) }
		before := inputs()
		first, err := Ephemeral(session, target)
		second, again := Ephemeral(session, target)
		if after := inputs(); before != after {
			t.Fatalf("Ephemeral changed its input:\n%s", cmp.Diff(before, after))
		}
		same(t, first, second, err, again, inputs)
	})
}

func TestCopyProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := drawTarget(t)
		session := drawSession(t, target)
		inputs := func() string { return text(t, target) + text(t, session) }
		before := inputs()
		first, err := Copy(session, target, now)
		second, again := Copy(session, target, now)
		if after := inputs(); before != after {
			t.Fatalf("Copy changed its input:\n%s", cmp.Diff(before, after))
		}
		if err == nil {
			checkCopy(t, session, target, first)
		}
		same(t, first, second, err, again, inputs)
	})
}

// checkCopy checks what holds for every copy, whatever its target and its session say.
func checkCopy(t *rapid.T, session *v1alpha1.DebugSession, target, copied *corev1.Pod) {
	if !OwnedBy(copied, session) || len(copied.OwnerReferences) != 1 {
		t.Errorf("owners %v, want the session alone, as the controller", copied.OwnerReferences)
	}
	keepsLabels := session.Spec.Profile != v1alpha1.ProfileLegacy && session.Spec.PodCopy != nil &&
		slices.Contains(session.Spec.PodCopy.Keep, v1alpha1.KeepLabels)
	wantLabels := map[string]string{v1alpha1.LabelSessionUID: string(session.UID)}
	for key, value := range target.Labels {
		if keepsLabels {
			wantLabels[key] = value
		}
	}
	if diff := cmp.Diff(wantLabels, copied.Labels); diff != "" {
		t.Errorf("labels (- wanted, + built):\n%s", diff)
	}
	deadline := copied.Spec.ActiveDeadlineSeconds
	left := session.Status.HardDeadline.Sub(now)
	if deadline == nil || *deadline > 1 && time.Duration(*deadline)*time.Second > left {
		t.Errorf("activeDeadlineSeconds %v with %v left", deadline, left)
	}
	if len(copied.Finalizers) > 0 || copied.UID != "" || copied.ResourceVersion != "" || copied.GenerateName != "" {
		t.Errorf("metadata of the target in the copy: %+v", copied.ObjectMeta)
	}
	if diff := cmp.Diff(corev1.PodStatus{}, copied.Status); diff != "" {
		t.Errorf("status of the target in the copy:\n%s", diff)
	}
	if len(copied.Spec.EphemeralContainers) > 0 {
		t.Error("ephemeral containers of the target in the copy")
	}
	if copied.Spec.HostPID && copied.Spec.ShareProcessNamespace != nil && *copied.Spec.ShareProcessNamespace &&
		target.Spec.ShareProcessNamespace == nil {
		t.Error("shareProcessNamespace beside hostPID")
	}
	wantContainers := len(target.Spec.Containers)
	if AddsContainer(&session.Spec) {
		wantContainers++
	}
	if got := len(copied.Spec.Containers); got != wantContainers {
		t.Errorf("%d containers, want %d", got, wantContainers)
	}
	if last := copied.Spec.Containers[len(copied.Spec.Containers)-1]; AddsContainer(&session.Spec) &&
		last.Name != session.Status.Debugger.ContainerName {
		t.Errorf("last container %q, want the debugger", last.Name)
	}
}
