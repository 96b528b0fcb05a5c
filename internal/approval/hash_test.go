package approval_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
)

func TestRequestHash(t *testing.T) {
	session := asking()
	hash := func(key string, spec *v1alpha1.DebugSessionSpec, target types.UID, made approval.Payload) string {
		return approval.RequestHash([]byte(key), spec, session.Status.Class, target, made)
	}
	container := corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Command: []string{"sh"}},
	}
	pod, placed := fixture.Pod(), fixture.Pod()
	placed.Spec.NodeName, placed.Spec.ActiveDeadlineSeconds = "elsewhere", new(int64(60))
	before := hash("key", &session.Spec, "uid", approval.AddedPayload(container))
	if !strings.HasPrefix(before, "sha256:") || before != hash("key", &session.Spec, "uid", approval.AddedPayload(container)) {
		t.Errorf("it is %s, and then another", before)
	}
	if hash("key", &session.Spec, "uid", approval.CreatedPayload(pod)) !=
		hash("key", &session.Spec, "uid", approval.CreatedPayload(placed)) {
		t.Error("it depends on where and when a pod is made")
	}
	longer := session.Spec.DeepCopy()
	longer.TTL, longer.End, longer.Emergency = &metav1.Duration{Duration: time.Hour}, true, true
	if hash("key", longer, "uid", approval.AddedPayload(container)) != before {
		t.Error("it depends on ttl, end or emergency")
	}
	reworded, another := session.Spec.DeepCopy(), container
	reworded.Reason, another.Command = "another", []string{"id"}
	for name, other := range map[string]string{
		"the key":       hash("other", &session.Spec, "uid", approval.AddedPayload(container)),
		"the spec":      hash("key", reworded, "uid", approval.AddedPayload(container)),
		"the target":    hash("key", &session.Spec, "other", approval.AddedPayload(container)),
		"what is made":  hash("key", &session.Spec, "uid", approval.AddedPayload(another)),
		"how it's made": hash("key", &session.Spec, "uid", approval.CreatedPayload(pod)),
	} {
		if other == before {
			t.Errorf("%s does not change it", name)
		}
	}
}

// A hash that changes with the operator's version voids every approval given before the upgrade. Nothing here comes from a fixture, so
// that only a change of the hash, or of a type that is hashed, can make this test fail: the latter is a change that users must be told of.
func TestRequestHashStaysTheSame(t *testing.T) {
	const (
		hashOfAdded   = "sha256:a6d84a80ec339ddaedb2c6b9120a4d06cc53047d2b1421b8bd9a590d3135712c"
		hashOfCreated = "sha256:d84b3c91ea31865099d54373dd2f77d5d6280b6c16c8a0f6cbcf76d70626e104"
	)
	spec := pinnedSpec()
	class := &v1alpha1.ClassStatus{
		Name: "production", UID: "uid-of-class", Generation: 3, Image: "busybox:1.36", Profile: v1alpha1.ProfileRestricted,
		TTL: v1alpha1.Duration{Duration: time.Hour}, MaxTTL: v1alpha1.Duration{Duration: 4 * time.Hour}, IdleTimeout: &v1alpha1.Duration{Duration: 10 * time.Minute},
		ApprovalsRequired: 2, ApprovalTimeout: &v1alpha1.Duration{Duration: time.Hour}, RequireRequestHash: true,
		AccessVerbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessLogs}, Audit: v1alpha1.AuditRequired,
		Retention: &v1alpha1.Duration{Duration: 24 * time.Hour}, EndWarnings: []v1alpha1.Duration{{Duration: 5 * time.Minute}},
	}
	added := corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger-1", Image: "busybox:1.36", Command: []string{"sh", "-c", "sleep 1d"}, Stdin: true, TTY: true,
			Env:             []corev1.EnvVar{{Name: "TOKEN", Value: "a value that a preview hides"}},
			SecurityContext: &corev1.SecurityContext{RunAsUser: new(int64(1000)), RunAsNonRoot: new(true)},
		},
		TargetContainerName: "app",
	}
	wrapped := *added.DeepCopy()
	if err := debugpod.WrapWithDeadline(&wrapped, debugpod.Deadlines{
		StartBy: time.Unix(1800000300, 0), End: time.Unix(1800003600, 0), Hard: time.Unix(1800007200, 0),
	}); err != nil {
		t.Fatal(err)
	}
	created := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-copy", Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			NodeName: "node-1", ActiveDeadlineSeconds: new(int64(3600)), SchedulingGates: []corev1.PodSchedulingGate{{Name: "gate"}},
			Containers: []corev1.Container{{
				Name: "app", Image: "web:1", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
			}},
		},
	}
	for name, tc := range map[string]struct {
		made approval.Payload
		want string
	}{
		"an ephemeral container":           {approval.AddedPayload(added), hashOfAdded},
		"one that is held to its deadline": {approval.AddedPayload(wrapped), hashOfAdded},
		"a pod":                            {approval.CreatedPayload(created), hashOfCreated},
	} {
		if got := approval.RequestHash([]byte("key"), spec, class, "uid-of-pod", tc.made); got != tc.want {
			t.Errorf("of %s it is %s, want %s", name, got, tc.want)
		}
	}
}

// What was approved under the hash of an earlier version is what was asked for, and nothing else.
func TestStandsFor(t *testing.T) {
	// What the version before emergencies made of this, with the key "key".
	const earlier = "sha256:f77e4b960fb9c5e746d4a8d5a4c92cd2c2a531a57af4d7db719a37877d05c093"
	made := approval.AddedPayload(corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Image: "busybox:1.36"}})
	spec, class := pinnedSpec(), &v1alpha1.ClassStatus{Name: "production", UID: "uid-of-class", ApprovalsRequired: 1}
	spec.Emergency = false // there was none
	stands := func(hash string, spec *v1alpha1.DebugSessionSpec) bool {
		return approval.StandsFor(hash, []byte("key"), spec, class, "uid-of-pod", made)
	}
	if !stands(approval.RequestHash([]byte("key"), spec, class, "uid-of-pod", made), spec) {
		t.Error("its own hash does not stand for a request")
	}
	if !stands(earlier, spec) {
		t.Error("the hash of the version before does not stand for the same request")
	}
	reworded, resealed := spec.DeepCopy(), spec.DeepCopy()
	reworded.Reason, resealed.Requester.Seal = "another", "another seal"
	for name, other := range map[string]*v1alpha1.DebugSessionSpec{"reason": reworded, "seal": resealed} {
		if stands(earlier, other) {
			t.Errorf("the hash of the version before stands for a request with another %s", name)
		}
	}
}

func pinnedSpec() *v1alpha1.DebugSessionSpec {
	return &v1alpha1.DebugSessionSpec{
		ClassName: "production", Reason: "it hangs", Mode: v1alpha1.ModeEphemeralContainer, Profile: v1alpha1.ProfileRestricted,
		Target: v1alpha1.Target{PodName: "web", Container: "app"},
		Debugger: v1alpha1.Debugger{
			Image: "busybox:1.36", Command: []string{"sh", "-c", "sleep 1d"}, Env: []corev1.EnvVar{{Name: "TOKEN", Value: "a value that a preview hides"}},
			Stdin: true, TTY: true,
		},
		TTL: &metav1.Duration{Duration: time.Hour}, NotAfter: &metav1.Time{Time: time.Unix(1800010800, 0).UTC()}, Emergency: true,
		Access:    &v1alpha1.Access{Subjects: []v1alpha1.Subject{{Kind: "User", Name: "bob"}}},
		Requester: &v1alpha1.Identity{Username: "alice", UID: "1", Groups: []string{"developers"}, Seal: "a seal"},
	}
}

// What is approved for any pod of a workload is the same for each of them, and nothing else.
func TestOfAny(t *testing.T) {
	pod := func(name, token string) *corev1.Pod {
		p := fixture.Pod(fixture.Named(name))
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: token})
		p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: token, MountPath: "/var/run/secrets"}, {Name: "data", MountPath: "/data"}}
		return p
	}
	copyOf := func(target *corev1.Pod) *corev1.Pod {
		copied := target.DeepCopy()
		copied.Name, copied.UID = target.Name+"-debug-1", "" // one that is made has none
		copied.Annotations = map[string]string{v1alpha1.AnnotationCopyOf: target.Name}
		return copied
	}
	added := func(target *corev1.Pod) corev1.EphemeralContainer {
		return corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger", VolumeMounts: slices.Clone(target.Spec.Containers[0].VolumeMounts)}}
	}
	one, two := pod("web-1", "kube-api-access-aaaaa"), pod("web-2", "kube-api-access-bbbbb")
	session := asking()
	hash := func(made approval.Payload) string {
		return approval.RequestHash([]byte("key"), &session.Spec, session.Status.Class, "", made)
	}
	if hash(approval.CreatedPayload(copyOf(one)).OfAny(one)) != hash(approval.CreatedPayload(copyOf(two)).OfAny(two)) {
		t.Error("a copy of one pod is another than that of the next")
	}
	if hash(approval.AddedPayload(added(one)).OfAny(one)) != hash(approval.AddedPayload(added(two)).OfAny(two)) {
		t.Error("an ephemeral container of one pod is another than that of the next")
	}
	changed, mounts := pod("web-2", "kube-api-access-bbbbb"), pod("web-2", "kube-api-access-bbbbb")
	changed.Spec.Containers[0].Image = "app:2"
	mounts.Spec.Containers[0].VolumeMounts[1].Name = "other"
	if hash(approval.CreatedPayload(copyOf(one)).OfAny(one)) == hash(approval.CreatedPayload(copyOf(changed)).OfAny(changed)) {
		t.Error("a copy with another image is the same")
	}
	if hash(approval.AddedPayload(added(one)).OfAny(one)) == hash(approval.AddedPayload(added(mounts)).OfAny(mounts)) {
		t.Error("an ephemeral container with another volume is the same")
	}
	if two.Spec.Volumes[1].Name != "kube-api-access-bbbbb" || two.Spec.Containers[0].VolumeMounts[0].Name != "kube-api-access-bbbbb" {
		t.Error("the pod was changed")
	}
}
