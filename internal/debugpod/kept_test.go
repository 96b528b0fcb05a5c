package debugpod

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestCheckKept(t *testing.T) {
	mounts := func(options ...string) []corev1.VolumeMount {
		return []corev1.VolumeMount{{Name: "data", MountPath: "/data", BindMountOptions: options}}
	}
	specs := map[string]func(options ...string) *corev1.PodSpec{
		"container": func(options ...string) *corev1.PodSpec {
			return &corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}, {Name: "debugger", VolumeMounts: mounts(options...)}}}
		},
		"init container": func(options ...string) *corev1.PodSpec {
			return &corev1.PodSpec{InitContainers: []corev1.Container{{Name: "debugger", VolumeMounts: mounts(options...)}}}
		},
		"ephemeral container": func(options ...string) *corev1.PodSpec {
			return &corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{
				{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", VolumeMounts: mounts(options...)}}}}
		},
	}
	for name, spec := range specs {
		if MayLoseOptions(spec()) || CheckKept(spec(), spec()) != nil {
			t.Errorf("%s: nothing is set that could be lost", name)
		}
		if !MayLoseOptions(spec("noexec")) || CheckKept(spec("noexec"), spec("noexec")) != nil {
			t.Errorf("%s: the option is kept", name)
		}
		var lost *InvalidError
		if err := CheckKept(spec("noexec", "nodev"), spec("noexec")); !errors.As(err, &lost) || lost.Field != "spec.debugger.volumeMounts" {
			t.Errorf("%s: nodev is lost, and got %v", name, err)
		}
		if err := CheckKept(spec("noexec"), spec()); !errors.As(err, &lost) {
			t.Errorf("%s: all is lost, and got %v", name, err)
		}
		if err := CheckKept(spec(), spec("noexec")); err != nil {
			t.Errorf("%s: what admission adds is no loss: %v", name, err)
		}
	}
}
