package debugpod

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func pullSecrets(names ...string) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		for _, name := range names {
			s.Spec.ImagePullSecrets = append(s.Spec.ImagePullSecrets, v1alpha1.ImagePullSecret{Name: name})
		}
	}
}

func secretsNamed(names ...string) []corev1.LocalObjectReference {
	var secrets []corev1.LocalObjectReference
	for _, name := range names {
		secrets = append(secrets, corev1.LocalObjectReference{Name: name})
	}
	return secrets
}

func TestImagePullSecrets(t *testing.T) {
	target := readTarget(t, "web-0")
	target.Spec.ImagePullSecrets = secretsNamed("shop")
	onlyChanges := func(s *v1alpha1.DebugSession) {
		s.Spec.Debugger = v1alpha1.Debugger{}
		s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "web:debug"}}
	}
	for name, test := range map[string]struct {
		session *v1alpha1.DebugSession
		want    []corev1.LocalObjectReference
	}{
		"a copy has its target's":               {admitted(v1alpha1.ModePodCopy), secretsNamed("shop")},
		"and the session's after them":          {admitted(v1alpha1.ModePodCopy, pullSecrets("tools", "more")), secretsNamed("shop", "tools", "more")},
		"and none twice":                        {admitted(v1alpha1.ModePodCopy, pullSecrets("shop", "tools")), secretsNamed("shop", "tools")},
		"also if it only changes containers":    {admitted(v1alpha1.ModePodCopy, pullSecrets("tools"), onlyChanges), secretsNamed("shop", "tools")},
		"a pod on a node has the session's own": {admitted(v1alpha1.ModeNode, pullSecrets("tools")), secretsNamed("tools")},
		"or none":                               {admitted(v1alpha1.ModeNode), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var made *corev1.Pod
			var err error
			if test.session.Spec.Mode == v1alpha1.ModeNode {
				made, err = Node(test.session, now)
			} else {
				made, err = Copy(test.session, target, now)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, made.Spec.ImagePullSecrets); diff != "" {
				t.Errorf("imagePullSecrets (- wanted, + built):\n%s", diff)
			}
		})
	}
}
