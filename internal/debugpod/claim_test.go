package debugpod

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func dataClaim(modes ...corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data-web-0", UID: "uid-of-claim"},
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: modes},
	}
}

// ofClaim is a session, whose class allows nothing beside the claim, and the pod that is made for it.
func ofClaim(t *testing.T, profile v1alpha1.Profile, target *v1alpha1.VolumeClaim, mountedBy ...corev1.Pod) *corev1.Pod {
	t.Helper()
	session := admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
		s.Spec.Target, s.Spec.PodCopy, s.Spec.Profile = v1alpha1.Target{VolumeClaim: target}, nil, profile
		s.Status.Class.Allows = &v1alpha1.ClassAllows{}
	})
	pod, err := Copy(session, ClaimPod(target, dataClaim(corev1.ReadWriteOnce), mountedBy), now)
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func TestClaimIsMounted(t *testing.T) {
	for name, test := range map[string]struct {
		target   v1alpha1.VolumeClaim
		readOnly bool
		path     string
	}{
		"read-only":                  {v1alpha1.VolumeClaim{Name: "data-web-0", MountPath: "/mnt", ReadOnly: new(true)}, true, "/mnt"},
		"read-only, if nobody says":  {v1alpha1.VolumeClaim{Name: "data-web-0"}, true, "/mnt"},
		"for writing, where one has": {v1alpha1.VolumeClaim{Name: "data-web-0", MountPath: "/data", ReadOnly: new(false)}, false, "/data"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := ofClaim(t, v1alpha1.ProfileGeneral, &test.target)
			volumes := []corev1.Volume{{Name: "claim", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-web-0", ReadOnly: test.readOnly}}}}
			if diff := cmp.Diff(volumes, pod.Spec.Volumes); diff != "" {
				t.Errorf("volumes (-want +got):\n%s", diff)
			}
			if len(pod.Spec.Containers) != 1 || len(pod.Spec.InitContainers) != 0 {
				t.Fatalf("it has containers %v", ContainerNames(pod))
			}
			mounts := []corev1.VolumeMount{{Name: "claim", MountPath: test.path, ReadOnly: test.readOnly}}
			if diff := cmp.Diff(mounts, pod.Spec.Containers[0].VolumeMounts); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
		})
	}
}

// The kubelet changes what is in a volume for an fsGroup, and gives a token for a service account.
func TestClaimPodHasNothingElse(t *testing.T) {
	for _, profile := range v1alpha1.Profiles() {
		pod := ofClaim(t, profile, &v1alpha1.VolumeClaim{Name: "data-web-0"})
		spec := pod.Spec
		if spec.SecurityContext != nil || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken || spec.ServiceAccountName != "" ||
			spec.HostPID || spec.HostNetwork || spec.HostIPC || spec.RestartPolicy != corev1.RestartPolicyNever || spec.ActiveDeadlineSeconds == nil {
			t.Errorf("%s: the pod is %+v", profile, spec)
		}
		if _, copied := pod.Annotations[v1alpha1.AnnotationCopyOf]; copied {
			t.Errorf("%s: it is said to be a copy", profile)
		}
	}
}

func TestClaimPodGoesWhereTheClaimIs(t *testing.T) {
	on := func(node string, phase corev1.PodPhase) corev1.Pod {
		return corev1.Pod{Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: phase}}
	}
	for name, test := range map[string]struct {
		modes     []corev1.PersistentVolumeAccessMode
		mountedBy []corev1.Pod
		node      string
	}{
		"mounted nowhere":             {[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, nil, ""},
		"mounted on a node":           {[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, []corev1.Pod{on("a", corev1.PodPending)}, "a"},
		"waited for on another":       {[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, []corev1.Pod{on("a", corev1.PodPending), on("b", corev1.PodRunning)}, "b"},
		"mounted by no placed pod":    {[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, []corev1.Pod{on("", corev1.PodPending)}, ""},
		"mounted on as many as want":  {[]corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteMany}, []corev1.Pod{on("a", corev1.PodRunning)}, ""},
		"mounted by readers anywhere": {[]corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany}, []corev1.Pod{on("a", corev1.PodRunning)}, ""},
	} {
		target := &v1alpha1.VolumeClaim{Name: "data-web-0"}
		session := admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
			s.Spec.Target, s.Spec.PodCopy = v1alpha1.Target{VolumeClaim: target}, nil
		})
		pod, err := Copy(session, ClaimPod(target, dataClaim(test.modes...), test.mountedBy), now)
		if err != nil {
			t.Fatal(err)
		}
		if pod.Spec.NodeName != test.node || (len(pod.Spec.Tolerations) > 0) != (test.node != "") {
			t.Errorf("%s: it goes to %q, and tolerates %+v", name, pod.Spec.NodeName, pod.Spec.Tolerations)
		}
		elsewhere, err := Copy(session, ClaimPod(target, dataClaim(test.modes...), nil), now)
		if err != nil {
			t.Fatal(err)
		}
		ForgetPlace(pod)
		ForgetPlace(elsewhere)
		if diff := cmp.Diff(elsewhere, pod); diff != "" {
			t.Errorf("%s: without its place it is another pod:\n%s", name, diff)
		}
	}
}

// A toleration that somebody wrote is a part of what is approved.
func TestForgetPlaceKeepsTolerations(t *testing.T) {
	target := readTarget(t, "web-0")
	target.Spec.NodeName, target.Spec.Tolerations = "node-1", []corev1.Toleration{stays}
	pod, err := Copy(admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) { s.Spec.PodCopy.SameNode = true }), target, now)
	if err != nil {
		t.Fatal(err)
	}
	ForgetPlace(pod)
	if len(pod.Spec.Tolerations) != 1 || pod.Spec.NodeName != "" {
		t.Errorf("on %q it tolerates %v", pod.Spec.NodeName, pod.Spec.Tolerations)
	}
}

func TestMountsClaim(t *testing.T) {
	with := func(name string, source corev1.VolumeSource, phase corev1.PodPhase) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.PodStatus{Phase: phase},
			Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "data", VolumeSource: source}}}}
	}
	ofClaim := func(name string) corev1.VolumeSource {
		return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"a pod that runs":             {with("web-0", ofClaim("web-0-data"), corev1.PodRunning), true},
		"a pod that waits":            {with("web-0", ofClaim("web-0-data"), corev1.PodPending), true},
		"a pod with an ephemeral one": {with("web-0", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}, corev1.PodRunning), true},
		"a pod that has finished":     {with("web-0", ofClaim("web-0-data"), corev1.PodSucceeded), false},
		"a pod that has failed":       {with("web-0", ofClaim("web-0-data"), corev1.PodFailed), false},
		"a pod with another":          {with("web-0", ofClaim("web-1-data"), corev1.PodRunning), false},
		"another pod's ephemeral one": {with("web-1", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}, corev1.PodRunning), false},
	} {
		if got := MountsClaim(test.pod, "web-0-data"); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
