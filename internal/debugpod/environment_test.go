package debugpod

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

// environment is what a container has of its own, and of Secrets and ConfigMaps.
type environment struct {
	Env     []corev1.EnvVar        `json:"env,omitempty"`
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`
}

func readEnvironment(t *testing.T, text string) environment {
	t.Helper()
	var read environment
	if err := yaml.UnmarshalStrict([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestEnvFromTarget(t *testing.T) {
	target := readTarget(t, "web-0")
	target.Labels = map[string]string{"app": "we$b"}
	app := readEnvironment(t, `
env:
- {name: LEVEL, value: info}
- {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
- {name: DSN, value: "db://$(PASSWORD)@db/$(LEVEL)"}
- {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
- {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
- {name: PROXYS, valueFrom: {resourceFieldRef: {resource: limits.memory, containerName: proxy}}}
- {name: TARGET_ROOT, value: /srv}
envFrom: [{secretRef: {name: theirs}}]`)
	target.Spec.Containers[0].Env, target.Spec.Containers[0].EnvFrom = app.Env, app.EnvFrom

	wants := func(s *v1alpha1.DebugSession) {
		own := readEnvironment(t, `{env: [{name: MINE, value: "$(DSN)"}, {name: LEVEL, value: debug}], envFrom: [{configMapRef: {name: mine}}]}`)
		s.Spec.Debugger.EnvFromTarget, s.Spec.Debugger.Env, s.Spec.Debugger.EnvFrom = true, own.Env, own.EnvFrom
	}
	for name, test := range map[string]struct {
		session *v1alpha1.DebugSession
		want    string
	}{
		"an ephemeral container": {admitted(v1alpha1.ModeEphemeralContainer, wants), `
env:
- {name: TARGET_ROOT, value: /proc/1/root}
- {name: LEVEL, value: debug}
- {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
- {name: DSN, value: "db://$(PASSWORD)@db/$(LEVEL)"}
- {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
- {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory, containerName: app}}}
- {name: PROXYS, valueFrom: {resourceFieldRef: {resource: limits.memory, containerName: proxy}}}
- {name: MINE, value: "$(DSN)"}
envFrom: [{secretRef: {name: theirs}}, {configMapRef: {name: mine}}]`},
		"a copy, which has not the target's labels": {admitted(v1alpha1.ModePodCopy, wants), `
env:
- {name: LEVEL, value: debug}
- {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
- {name: DSN, value: "db://$(PASSWORD)@db/$(LEVEL)"}
- {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: APP, value: we$$b}
- {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory, containerName: app}}}
- {name: PROXYS, valueFrom: {resourceFieldRef: {resource: limits.memory, containerName: proxy}}}
- {name: TARGET_ROOT, value: /srv}
- {name: MINE, value: "$(DSN)"}
envFrom: [{secretRef: {name: theirs}}, {configMapRef: {name: mine}}]`},
		"another container's": {admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger.EnvFromTarget, s.Spec.Target.Container = true, "proxy"
		}), `{}`},
		"none": {admitted(v1alpha1.ModeEphemeralContainer), `env: [{name: TARGET_ROOT, value: /proc/1/root}]`},
	} {
		t.Run(name, func(t *testing.T) {
			debugger := built(t, test.session, target)
			if diff := cmp.Diff(readEnvironment(t, test.want), environment{debugger.Env, debugger.EnvFrom}); diff != "" {
				t.Errorf("environment (- wanted, + built):\n%s", diff)
			}
		})
	}

	t.Run("of a container that the copy does not have", func(t *testing.T) {
		_, err := Copy(admitted(v1alpha1.ModePodCopy, wants, func(s *v1alpha1.DebugSession) {
			s.Spec.PodCopy.OmitContainers = []string{"app"}
		}), target, now)
		wantInvalid(t, err, "spec.debugger.envFromTarget")
	})
	t.Run("of a container that there is not", func(t *testing.T) {
		_, err := Copy(admitted(v1alpha1.ModePodCopy, wants, func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "ap" }), target, now)
		wantInvalid(t, err, "spec.target.container")
	})
	t.Run("is hidden from who is shown it, but for what the session gives", func(t *testing.T) {
		added, err := Ephemeral(admitted(v1alpha1.ModeEphemeralContainer, wants), target)
		if err != nil {
			t.Fatal(err)
		}
		hidden := HideContainerValues(added, admitted(v1alpha1.ModeEphemeralContainer, wants))
		want := []v1alpha1.HiddenValues{{Container: ContainerName(uidA), Env: []string{"DSN"}}}
		if diff := cmp.Diff(want, hidden); diff != "" {
			t.Errorf("hidden (- wanted, + is):\n%s", diff)
		}
	})
}

// built is the debugger's container.
func built(t *testing.T, session *v1alpha1.DebugSession, target *corev1.Pod) *corev1.Container {
	t.Helper()
	if session.Spec.Mode == v1alpha1.ModePodCopy {
		copied, err := Copy(session, target, now)
		if err != nil {
			t.Fatal(err)
		}
		return findContainer(&copied.Spec, ContainerName(uidA))
	}
	added, err := Ephemeral(session, target)
	if err != nil {
		t.Fatal(err)
	}
	return (*corev1.Container)(&added.EphemeralContainerCommon)
}
