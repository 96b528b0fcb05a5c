package debugpod

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// asleep asks for sleepers, by an operator that knows its image.
func asleep(entries ...v1alpha1.QuiescedContainer) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		s.Spec.PodCopy.Quiesce, s.Status.Debugger.OperatorImage = entries, "operator:1"
	}
}

func TestQuiesceGolden(t *testing.T) {
	for name, session := range map[string]*v1alpha1.DebugSession{
		"copy-quiesced": admitted(v1alpha1.ModePodCopy,
			keep(v1alpha1.KeepInitContainers, v1alpha1.KeepLivenessProbe, v1alpha1.KeepStartupProbe),
			asleep(v1alpha1.QuiescedContainer{Name: "*"},
				v1alpha1.QuiescedContainer{Name: "proxy", With: v1alpha1.QuiesceWithOperatorImage})),
	} {
		t.Run(name, func(t *testing.T) {
			target := readTarget(t, "web-0")
			for i := range target.Spec.Containers {
				target.Spec.Containers[i].WorkingDir = "/srv"
				target.Spec.Containers[i].Lifecycle = &corev1.Lifecycle{
					PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}},
				}
			}
			built, err := Copy(session, target, now)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, name, built)
		})
	}
}

func TestWhoSleeps(t *testing.T) {
	all := v1alpha1.QuiescedContainer{Name: "*"}
	for _, test := range []struct {
		name    string
		changes []func(*v1alpha1.DebugSession)
		want    []string
	}{
		{"one", []func(*v1alpha1.DebugSession){asleep(v1alpha1.QuiescedContainer{Name: "app"})}, []string{"app"}},
		{"a native sidecar", []func(*v1alpha1.DebugSession){asleep(v1alpha1.QuiescedContainer{Name: "mesh"})}, []string{"mesh"}},
		{"all, and no init container", []func(*v1alpha1.DebugSession){asleep(all)}, []string{"mesh", "app", "proxy"}},
		{
			"all but the debugger",
			[]func(*v1alpha1.DebugSession){asleep(all), func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Container = "app" }},
			[]string{"mesh", "proxy"},
		},
		{"all but one with a command", []func(*v1alpha1.DebugSession){asleep(all), func(s *v1alpha1.DebugSession) {
			s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "app", Command: []string{"dlv"}},
				{Name: "proxy", Image: "proxy:2"}}
		}}, []string{"mesh", "proxy"}},
		{"none", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			built, err := Copy(admitted(v1alpha1.ModePodCopy, test.changes...), readTarget(t, "web-0"), now)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, containers := range [][]corev1.Container{built.Spec.InitContainers, built.Spec.Containers} {
				for _, c := range containers {
					if len(c.Command) > 0 && c.Command[0] == "sleep" {
						got = append(got, c.Name)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sleeps (- wanted, + built):\n%s", diff)
			}
		})
	}
}

func TestWhoCannotSleep(t *testing.T) {
	with := func(w v1alpha1.QuiesceWith, name string) func(*v1alpha1.DebugSession) {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.PodCopy.Quiesce = []v1alpha1.QuiescedContainer{{Name: "app"}, {Name: name, With: w}}
		}
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.DebugSession)
		field  string
	}{
		"none of that name":   {with("", "gone"), "spec.podCopy.quiesce[1].name"},
		"an init container":   {with("", "migrate"), "spec.podCopy.quiesce[1].name"},
		"with no known image": {with(v1alpha1.QuiesceWithOperatorImage, "proxy"), "spec.podCopy.quiesce"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Copy(admitted(v1alpha1.ModePodCopy, test.change), readTarget(t, "web-0"), now)
			wantInvalid(t, err, test.field)
		})
	}
}
