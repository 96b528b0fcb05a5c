package debugpod

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// heldFor are the deadlines of a container that is held for its files.
func heldFor() Deadlines {
	return Deadlines{StartBy: now.Add(time.Minute), End: now.Add(time.Hour), Hard: now.Add(time.Hour), Hold: time.Minute}
}

// always has a container be started again whatever its pod says, and all containers when it fails.
func always(c *corev1.Container) {
	c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	c.RestartPolicyRules = []corev1.ContainerRestartRule{{Action: corev1.ContainerRestartRuleActionRestartAllContainers}}
}

// A debugger in a copy is held for its files as an ephemeral one, whichever container it is; nothing there is started again but sidecars.
func TestHeldInACopy(t *testing.T) {
	asked := []string{"jmap", "$(PID)"}
	for name, debugger := range map[string]v1alpha1.Debugger{
		"added":                {Image: "busybox:1.36", Command: asked, Args: []string{"--", "x"}},
		"one that is there":    {Container: "app", Command: asked, Args: []string{"--", "x"}},
		"an init container":    {Container: "init", Command: asked, Args: []string{"--", "x"}},
		"added, with its args": {Image: "busybox:1.36", Command: append(slices.Clone(asked), "--", "x")},
	} {
		t.Run(name, func(t *testing.T) {
			target := readTarget(t, "web-0")
			target.Spec.RestartPolicy = corev1.RestartPolicyAlways
			target.Spec.Containers = []corev1.Container{{Name: "app", Image: "app:1", Command: []string{"server"}, Args: []string{"-v"}}}
			target.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "init:1"}, {Name: "proxy", Image: "proxy:1"}}
			always(&target.Spec.Containers[0])
			always(&target.Spec.InitContainers[1])
			session := admitted(v1alpha1.ModePodCopy)
			session.Spec.PodCopy.Keep = []v1alpha1.Keep{v1alpha1.KeepInitContainers}
			session.Spec.Debugger = debugger
			if debugger.Container != "" {
				session.Status.Debugger.ContainerName = debugger.Container
			}
			held := session.Status.Debugger.ContainerName
			copied, err := Copy(session, target, now)
			if err != nil {
				t.Fatal(err)
			}
			if err := HoldForFiles(copied, held, heldFor()); err != nil {
				t.Fatal(err)
			}
			c := findContainer(&copied.Spec, held)
			if !strings.Contains(strings.Join(c.Command, " "), `hold='\''60'\''`) || len(c.Args) > 0 {
				t.Errorf("it runs %q %q", c.Command, c.Args)
			}
			proxy := findContainer(&copied.Spec, "proxy")
			if app := findContainer(&copied.Spec, "app"); copied.Spec.RestartPolicy != corev1.RestartPolicyNever || app.RestartPolicy != nil ||
				app.RestartPolicyRules != nil || !IsSidecar(proxy) || proxy.RestartPolicyRules != nil {
				t.Errorf("%s, %+v, %+v", copied.Spec.RestartPolicy, app, proxy)
			}
			if warnings := CopyWarnings(target, copied); !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "not started again") }) {
				t.Errorf("its author is told %q", warnings)
			}
			UnwrapHeld(copied, held)
			if want := append(slices.Clone(asked), "--", "x"); !slices.Equal(c.Command, want) {
				t.Errorf("what is shown runs %q, want %q", c.Command, want)
			}
		})
	}
}

// What cannot be held is refused, with what to do.
func TestNotHeld(t *testing.T) {
	for want, change := range map[string]func(*corev1.Pod){
		"is a sidecar": func(p *corev1.Pod) {
			p.Spec.Containers, p.Spec.InitContainers = nil, p.Spec.Containers
			always(&p.Spec.InitContainers[0])
		},
		"a Windows pod":   func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} },
		"set the command": func(p *corev1.Pod) { p.Spec.Containers[0].Command = nil },
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Command: []string{"jmap"}}}}}
		change(pod)
		var invalid *InvalidError
		if err := HoldForFiles(pod, "app", heldFor()); !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := HoldForFiles(&corev1.Pod{}, "app", heldFor()); err == nil {
		t.Error("a container that is not there is held")
	}
}
