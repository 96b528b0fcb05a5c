package debugpod

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

func withHeader(value string) *corev1.HTTPGetAction {
	return &corev1.HTTPGetAction{HTTPHeaders: []corev1.HTTPHeader{{Name: "Authorization", Value: value}}}
}

func TestHideValues(t *testing.T) {
	target := &corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "migrate", Env: []corev1.EnvVar{{Name: "DSN", Value: "secret-1"}}}},
		Containers: []corev1.Container{{
			Name: "app", Command: []string{"serve"},
			Env: []corev1.EnvVar{
				{Name: "PASSWORD", Value: "secret-2"}, {Name: "EMPTY"}, {Name: "LEVEL", Value: "debug"},
				{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "key"}}},
			},
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: withHeader("secret-3")}},
			Lifecycle:     &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: withHeader("secret-4")}},
		}, {Name: "proxy", Env: []corev1.EnvVar{{Name: "LEVEL", Value: "debug"}}}},
	}
	added := corev1.Container{
		Name: ContainerName(uidA),
		Env:  []corev1.EnvVar{{Name: "MINE", Value: "1"}, {Name: "HTTP_PROXY", Value: "secret-5"}},
	}
	changes := &v1alpha1.PodCopy{
		Containers: []v1alpha1.ContainerChange{{Name: "app", Env: []corev1.EnvVar{{Name: "LEVEL", Value: "debug"}}}},
	}
	mine := []corev1.EnvVar{{Name: "MINE", Value: "1"}, {Name: "PASSWORD", Value: "secret-2"}}
	migrate := v1alpha1.HiddenValues{Container: "migrate", Env: []string{"DSN"}}
	headers := []string{"Authorization", "Authorization"}
	for name, tc := range map[string]struct {
		session v1alpha1.DebugSessionSpec
		added   bool
		want    []v1alpha1.HiddenValues
	}{
		"a copy, and a debugger to which a webhook has added": {
			session: v1alpha1.DebugSessionSpec{Debugger: v1alpha1.Debugger{Env: mine}}, added: true,
			want: []v1alpha1.HiddenValues{
				{Container: "app", Env: []string{"PASSWORD", "LEVEL"}, HTTPHeaders: headers}, {Container: "proxy", Env: []string{"LEVEL"}},
				{Container: ContainerName(uidA), Env: []string{"HTTP_PROXY"}}, migrate,
			},
		},
		"what the session changes in one container": {
			session: v1alpha1.DebugSessionSpec{PodCopy: changes},
			want: []v1alpha1.HiddenValues{
				{Container: "app", Env: []string{"PASSWORD"}, HTTPHeaders: headers}, {Container: "proxy", Env: []string{"LEVEL"}}, migrate,
			},
		},
		"a container that becomes the debugger": {
			session: v1alpha1.DebugSessionSpec{
				PodCopy:  changes,
				Debugger: v1alpha1.Debugger{Container: "proxy", Env: []corev1.EnvVar{{Name: "LEVEL", Value: "debug"}}},
			},
			want: []v1alpha1.HiddenValues{{Container: "app", Env: []string{"PASSWORD"}, HTTPHeaders: headers}, migrate},
		},
	} {
		t.Run(name, func(t *testing.T) {
			session, spec := &v1alpha1.DebugSession{Spec: tc.session}, target.DeepCopy()
			session.UID = uidA
			if tc.added {
				spec.Containers = append(spec.Containers, *added.DeepCopy())
			}
			if diff := cmp.Diff(tc.want, HidePodValues(spec, session)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			shown, err := yaml.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(shown), "secret-") {
				t.Errorf("shows a value:\n%s", shown)
			}
			for _, stays := range []string{"serve", "secretKeyRef", "name: EMPTY"} {
				if !strings.Contains(string(shown), stays) {
					t.Errorf("%q is not in\n%s", stays, shown)
				}
			}
		})
	}
}

func TestHideValuesOfAnEphemeralContainer(t *testing.T) {
	session := &v1alpha1.DebugSession{
		Spec: v1alpha1.DebugSessionSpec{Debugger: v1alpha1.Debugger{Env: []corev1.EnvVar{{Name: "MINE", Value: "1"}}}},
	}
	session.UID = uidA
	container := &corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: ContainerName(uidA),
		Env:  []corev1.EnvVar{{Name: targetRootVariable, Value: targetRoot}, {Name: "MINE", Value: "1"}, {Name: "TOKEN", Value: "secret"}},
	}}
	hidden := HideContainerValues(container, session)
	if diff := cmp.Diff([]v1alpha1.HiddenValues{{Container: ContainerName(uidA), Env: []string{"TOKEN"}}}, hidden); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if container.Env[0].Value != targetRoot || container.Env[1].Value != "1" || container.Env[2].Value != Hidden {
		t.Errorf("shows %v", container.Env)
	}
}

func TestManyHiddenValues(t *testing.T) {
	spec := &corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}
	for i := range mostHidden + 10 {
		spec.Containers[0].Env = append(spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprint("V", i), Value: "secret"})
	}
	hidden := HidePodValues(spec, &v1alpha1.DebugSession{})[0].Env
	if len(hidden) != mostHidden || hidden[mostHidden-1] != "and 11 more" {
		t.Errorf("lists %d: %v", len(hidden), hidden)
	}
	for _, variable := range spec.Containers[0].Env {
		if variable.Value != Hidden {
			t.Fatalf("shows %v", variable)
		}
	}
}
