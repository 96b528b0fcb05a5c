package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/kubectl/pkg/cmd/debug"
	"sigs.k8s.io/randfill"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

var (
	fuzzPods = flag.Int("pods", 5000, "how many random pods each profile and mode is tried on")
	fuzzSeed = flag.Int64("seed", 1, "seed of the random pods")
)

var profiles = v1alpha1.Profiles()

// TestProfilesAgainstKubectlsOwn gives random pods, with every field set at random, to kubectl's own profiles and to our
// builders. What the API server would make of them does not matter here.
func TestProfilesAgainstKubectlsOwn(t *testing.T) {
	list, err := loadDivergences()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pods from seed %d, in each of %d profiles and 3 modes", *fuzzPods, *fuzzSeed, len(profiles))
	filler := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(*fuzzSeed), serializer.NewCodecFactory(runtime.NewScheme()))
	counts := map[verdict]int{}
	for i := range *fuzzPods {
		f := newFuzzed(filler)
		for _, profile := range profiles {
			for _, mode := range v1alpha1.Modes() {
				outcome := result{Case: &testCase{}}
				if err := f.judge(profile, mode, list, &outcome); err != nil {
					t.Fatalf("pod %d, profile %s, mode %s: %v", i, profile, mode, err)
				}
				counts[outcome.Verdict]++
				if outcome.Verdict == failure {
					t.Fatalf("pod %d, profile %s, mode %s: %v", i, profile, mode, outcome.Details)
				}
			}
		}
	}
	t.Logf("%d equal, %d listed", counts[equal], counts[listed])
}

// fuzzed is a random pod and random ways to debug it.
type fuzzed struct {
	pod   *corev1.Pod
	own   *corev1.SecurityContext
	flags debug.KeepFlags
}

func newFuzzed(filler *randfill.Filler) *fuzzed {
	f := &fuzzed{pod: &corev1.Pod{}, own: &corev1.SecurityContext{}}
	filler.Fill(f.pod)
	filler.Fill(f.own)
	filler.Fill(&f.flags)
	for i := range f.pod.Spec.Containers {
		f.pod.Spec.Containers[i].Name = fmt.Sprint("c", i)
	}
	for i := range f.pod.Spec.InitContainers {
		f.pod.Spec.InitContainers[i].Name = fmt.Sprint("i", i)
	}
	// Refused by the API server, each as a divergence of its own that the cases show: not a matter of the profiles.
	f.pod.Spec.OS, f.pod.Spec.HostPID = nil, false
	f.own.Privileged, f.own.AllowPrivilegeEscalation = nil, nil
	return f
}

// session is the session that says what kubectl is told.
func (f *fuzzed) session(profile v1alpha1.Profile, mode v1alpha1.Mode) *v1alpha1.DebugSession {
	session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{UID: "uid"}}
	session.Spec.Mode, session.Spec.Profile = mode, profile
	session.Spec.Debugger = v1alpha1.Debugger{Image: "busybox", SecurityContext: f.own}
	session.Spec.PodCopy = &v1alpha1.PodCopy{Keep: []v1alpha1.Keep{}}
	for keep, kept := range map[v1alpha1.Keep]bool{
		v1alpha1.KeepLabels: f.flags.Labels, v1alpha1.KeepAnnotations: f.flags.Annotations,
		v1alpha1.KeepInitContainers: f.flags.InitContainers,
		v1alpha1.KeepLivenessProbe:  f.flags.Liveness, v1alpha1.KeepReadinessProbe: f.flags.Readiness,
		v1alpha1.KeepStartupProbe: f.flags.Startup,
	} {
		if kept {
			session.Spec.PodCopy.Keep = append(session.Spec.PodCopy.Keep, keep)
		}
	}
	session.Status.Target = &v1alpha1.TargetStatus{PodName: f.pod.Name}
	session.Status.Debugger = &v1alpha1.DebuggerStatus{PodName: debugpod.CopyName(f.pod.Name, session.UID), ContainerName: debuggerName}
	session.Status.HardDeadline = &metav1.Time{Time: admitted.Add(sessionSeconds * time.Second)}
	return session
}

// judge compares what the two make of the pod, in the fields that a profile may change.
func (f *fuzzed) judge(profile v1alpha1.Profile, mode v1alpha1.Mode, list []divergence, r *result) error {
	theirs, err := f.byKubectl(profile, mode)
	if err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	ours, err := f.bySession(profile, mode)
	if err != nil {
		return fmt.Errorf("ours: %w", err)
	}
	dropMarks(ours)
	if r.Verdict = equal; reflect.DeepEqual(profiled(theirs), profiled(ours)) {
		return nil
	}
	kubectl, err := decoded(profiled(theirs))
	if err != nil {
		return err
	}
	mine, err := decoded(profiled(ours))
	if err != nil {
		return err
	}
	r.judgeDifferences(compare("", kubectl, mine), list)
	return nil
}

// byKubectl does what kubectl debug does around its profiles, with the profiles themselves being kubectl's.
func (f *fuzzed) byKubectl(profile v1alpha1.Profile, mode v1alpha1.Mode) (*corev1.Pod, error) {
	applier, err := debug.NewProfileApplier(string(profile), f.flags)
	if err != nil {
		return nil, err
	}
	debugger := corev1.Container{Name: debuggerName, Image: "busybox", TerminationMessagePolicy: corev1.TerminationMessageReadFile}
	if mode == v1alpha1.ModeNode {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{debugger}}}
		if err := applier.Apply(pod, debuggerName, &corev1.Node{}); err != nil {
			return nil, err
		}
		return pod, f.customise(&pod.Spec.Containers[0])
	}
	pod := f.pod.DeepCopy()
	if mode == v1alpha1.ModeEphemeralContainer {
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon(debugger)}}
		if err := applier.Apply(pod, debuggerName, pod); err != nil { // kubectl tells this mode by the two being one pod
			return nil, err
		}
		return pod, f.customise((*corev1.Container)(&pod.Spec.EphemeralContainers[0].EphemeralContainerCommon))
	}
	pod.Spec.EphemeralContainers = nil
	pod.Spec.Containers = append(pod.Spec.Containers, debugger)
	if err := applier.Apply(pod, debuggerName, f.pod); err != nil {
		return nil, err
	}
	return pod, f.customise(&pod.Spec.Containers[len(pod.Spec.Containers)-1])
}

// customise is kubectl's --custom with a security context: the same merge, which kubectl keeps to itself.
func (f *fuzzed) customise(c *corev1.Container) error {
	custom, err := json.Marshal(corev1.Container{Name: c.Name, SecurityContext: f.own})
	if err != nil {
		return err
	}
	before, err := json.Marshal(c)
	if err != nil {
		return err
	}
	after, err := strategicpatch.StrategicMergePatch(before, custom, corev1.Container{})
	if err != nil {
		return err
	}
	return json.Unmarshal(after, c)
}

func (f *fuzzed) bySession(profile v1alpha1.Profile, mode v1alpha1.Mode) (*corev1.Pod, error) {
	session := f.session(profile, mode)
	switch mode {
	case v1alpha1.ModePodCopy:
		return debugpod.Copy(session, f.pod, admitted)
	case v1alpha1.ModeNode:
		session.Status.Target.NodeName, session.Status.Debugger.PodName = targetName, targetName
		return debugpod.Node(session, admitted)
	}
	container, err := debugpod.Ephemeral(session, f.pod)
	if err != nil {
		return nil, err
	}
	pod := f.pod.DeepCopy()
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{*container}
	return pod, nil
}

// profiled is a pod with nothing but what a profile may change.
func profiled(pod *corev1.Pod) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations},
		Spec: corev1.PodSpec{
			Containers:            pod.Spec.Containers,
			InitContainers:        pod.Spec.InitContainers,
			EphemeralContainers:   pod.Spec.EphemeralContainers,
			ShareProcessNamespace: pod.Spec.ShareProcessNamespace,
			HostNetwork:           pod.Spec.HostNetwork,
			HostPID:               pod.Spec.HostPID,
			HostIPC:               pod.Spec.HostIPC,
			Volumes:               pod.Spec.Volumes,
		},
	}
}
