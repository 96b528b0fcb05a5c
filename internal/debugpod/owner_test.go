package debugpod

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestOwnedBy(t *testing.T) {
	session := admitted(v1alpha1.ModePodCopy)
	for _, test := range []struct {
		name   string
		change func(*metav1.OwnerReference)
		want   bool
	}{
		{"as made", func(*metav1.OwnerReference) {}, true},
		{"in another version", func(r *metav1.OwnerReference) { r.APIVersion = "debugsession.dev/v1" }, true},
		{"renamed", func(r *metav1.OwnerReference) { r.Name = "other" }, true},
		{"another session", func(r *metav1.OwnerReference) { r.UID = uidB }, false},
		{"no UID", func(r *metav1.OwnerReference) { r.UID = "" }, false},
		{"another kind", func(r *metav1.OwnerReference) { r.Kind = "DebugClass" }, false},
		{"another group", func(r *metav1.OwnerReference) { r.APIVersion = "example.com/v1alpha1" }, false},
		{"no group", func(r *metav1.OwnerReference) { r.APIVersion = "v1alpha1" }, false},
		{"no version at all", func(r *metav1.OwnerReference) { r.APIVersion = "a/b/c" }, false},
		{"not the controller", func(r *metav1.OwnerReference) { r.Controller = nil }, false},
	} {
		reference := OwnerReference(session)
		test.change(&reference)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{reference}}}
		if got := OwnedBy(pod, session); got != test.want {
			t.Errorf("%s: OwnedBy = %v, want %v", test.name, got, test.want)
		}
	}

	labelled := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelSessionUID: string(uidA)}}}
	if OwnedBy(labelled, session) {
		t.Error("a pod with the label alone is owned")
	}
	nobody := &v1alpha1.DebugSession{}
	if OwnedBy(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{OwnerReference(nobody)}}}, nobody) {
		t.Error("a session without a UID owns a pod")
	}
}
