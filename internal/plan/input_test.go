package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// A shell that nobody can type into ends at once. That is told when it is asked for, and when it has ended.
func TestAShellWithoutInput(t *testing.T) {
	const missing = "set debugger.stdin: true"
	for name, tc := range map[string]struct {
		debugger v1alpha1.Debugger
		warned   bool
	}{
		"nothing is said":            {v1alpha1.Debugger{Image: "busybox"}, true},
		"a shell":                    {v1alpha1.Debugger{Image: "busybox", Command: []string{"/bin/bash", "-l"}}, true},
		"a shell, and what it runs":  {v1alpha1.Debugger{Image: "busybox", Command: []string{"sh"}, Args: []string{"-c", "true"}}, false},
		"a shell that has stdin":     {v1alpha1.Debugger{Image: "busybox", Command: []string{"sh"}, Stdin: true}, false},
		"a command":                  {v1alpha1.Debugger{Image: "busybox", Command: []string{"netstat"}}, false},
		"nothing, but with stdin":    {v1alpha1.Debugger{Image: "busybox", Stdin: true}, false},
		"arguments of the image's":   {v1alpha1.Debugger{Image: "nmap", Args: []string{"-sS"}}, false},
		"a container that was there": {v1alpha1.Debugger{Container: "app"}, false},
	} {
		for mode, m := range modes(t) {
			if tc.debugger.Container != "" && mode != v1alpha1.ModePodCopy || mode == v1alpha1.ModeEphemeralContainer &&
				len(tc.debugger.Args) == 1 {
				continue
			}
			t.Run(name+", "+string(mode), func(t *testing.T) {
				session := m.session.DeepCopy()
				session.Spec.Debugger = tc.debugger
				if warned := strings.Contains(strings.Join(plan.Warnings(&session.Spec), ""), missing); warned != tc.warned {
					t.Errorf("warned: %v", plan.Warnings(&session.Spec))
				}
				quick := fixture.Exited(now, 0, "Completed", "")
				quick.Terminated.StartedAt = metav1.NewTime(now)
				silent := func(v *view) { v.output = new(plan.Found("")) }
				if said := said(pass(t, about(session, m.sees(quick), silent))); strings.Contains(said, missing) != tc.warned {
					t.Errorf("says: %s", said)
				}
				for what, other := range map[string]look{
					"one that took its time":  both(m.sees(fixture.Exited(after(time.Hour), 0, "Completed", "")), silent),
					"one that failed":         both(m.sees(exitedAtOnce(1)), silent),
					"one that said something": both(m.sees(exitedAtOnce(0)), func(v *view) { v.output = new(plan.Found("done")) }),
				} {
					if said := said(pass(t, about(session, other))); !session.Spec.Debugger.Stdin && strings.Contains(said, missing) {
						t.Errorf("of %s: %s", what, said)
					}
				}
			})
		}
	}
}

// What no node can pull is told when it is asked for.
func TestImagesThatAreNone(t *testing.T) {
	for image, warned := range map[string]bool{
		"": false, "busybox": false, "busybox:1.36": false, "registry.example:5000/a/b@sha256:" + strings.Repeat("0", 64): false,
		"busybox:NO:SUCH": true, "BusyBox:1.36": true, "https://registry.example/busybox": true, "busybox:": true,
	} {
		for field, spec := range map[string]*v1alpha1.DebugSessionSpec{
			"spec.debugger.image": {Debugger: v1alpha1.Debugger{Image: image, Stdin: true}},
			"spec.podCopy.containers[0].image": {Mode: v1alpha1.ModePodCopy,
				PodCopy: &v1alpha1.PodCopy{Containers: []v1alpha1.ContainerChange{{Name: "app", Image: image}}}},
		} {
			said := strings.Join(plan.Warnings(spec), "; ")
			if says := strings.HasPrefix(said, field+": ") && strings.Contains(said, "is not a valid image name"); says != warned {
				t.Errorf("%s: %q: warns %q", field, image, said)
			}
		}
	}
}

func exitedAtOnce(code int32) corev1.ContainerState {
	state := fixture.Exited(now, code, "Error", "")
	state.Terminated.StartedAt = state.Terminated.FinishedAt
	return state
}

func both(looks ...look) look {
	return func(v *view) {
		for _, l := range looks {
			l(v)
		}
	}
}
