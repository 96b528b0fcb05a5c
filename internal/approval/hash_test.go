package approval_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
)

func TestRequestHash(t *testing.T) {
	session := asking()
	hash := func(key string, spec *v1alpha1.DebugSessionSpec, target types.UID, made approval.Payload) string {
		return approval.RequestHash([]byte(key), spec, session.Status.Class, target, made)
	}
	container := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Command: []string{"sh"}}}
	pod, placed := fixture.Pod(), fixture.Pod()
	placed.Spec.NodeName, placed.Spec.ActiveDeadlineSeconds = "elsewhere", new(int64(60))
	before := hash("key", &session.Spec, "uid", approval.AddedPayload(container))
	if !strings.HasPrefix(before, "sha256:") || before != hash("key", &session.Spec, "uid", approval.AddedPayload(container)) {
		t.Errorf("it is %s, and then another", before)
	}
	if hash("key", &session.Spec, "uid", approval.CreatedPayload(pod)) != hash("key", &session.Spec, "uid", approval.CreatedPayload(placed)) {
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
