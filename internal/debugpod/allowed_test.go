package debugpod

import (
	"errors"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

// nothing is a class that allows nothing, or an operator that did not record what it allows.
func nothing(s *v1alpha1.DebugSession) { s.Status.Class.Allows = nil }

func TestWhatAClassWithholds(t *testing.T) {
	for name, test := range map[string]struct {
		allows   *v1alpha1.ClassAllows
		token    bool
		priority string
	}{
		"all":           {&v1alpha1.ClassAllows{Volumes: true, Priority: true}, true, "high"},
		"the token":     {&v1alpha1.ClassAllows{Priority: true}, false, "high"},
		"the priority":  {&v1alpha1.ClassAllows{Volumes: true}, true, ""},
		"what it likes": {nil, false, ""},
	} {
		session := admitted(v1alpha1.ModePodCopy)
		session.Status.Class.Allows = test.allows
		copied, err := Copy(session, readTarget(t, "web-0"), now)
		if err != nil {
			t.Fatal(err)
		}
		if mount := copied.Spec.AutomountServiceAccountToken; (mount == nil || *mount) != test.token {
			t.Errorf("%s: automountServiceAccountToken is %v", name, mount)
		}
		if got := copied.Spec.PriorityClassName; got != test.priority {
			t.Errorf("%s: priorityClassName is %q, want %q", name, got, test.priority)
		}
	}
	pod, err := Node(admitted(v1alpha1.ModeNode, nothing), now)
	if err != nil {
		t.Fatal(err)
	}
	if mount := pod.Spec.AutomountServiceAccountToken; mount == nil || *mount {
		t.Errorf("a pod on a node: automountServiceAccountToken is %v", mount)
	}
}

// Admission would put the annotation's word where the profile left the field out.
func TestAppArmorOfTheDebuggerIsNotTheTargets(t *testing.T) {
	target := readTarget(t, "web-0")
	app := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + "app"
	proxy := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + "proxy"
	target.Annotations[app], target.Annotations[proxy] = "unconfined", "unconfined"
	session := admitted(v1alpha1.ModePodCopy, keep(v1alpha1.KeepAnnotations), profile(v1alpha1.ProfileBaseline))
	session.Spec.Debugger.Container, session.Status.Debugger.ContainerName = "app", "app"
	copied, err := Copy(session, target, now)
	if err != nil {
		t.Fatal(err)
	}
	if copied.Annotations[app] != "" || copied.Annotations[proxy] == "" {
		t.Errorf("annotations %v", copied.Annotations)
	}
}

// A profile that the API knows and the table does not would get what nobody decided.
func TestEveryProfileIsInTheTable(t *testing.T) {
	data, err := os.ReadFile("../../config/crd/bases/debugsession.dev_debugsessions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema struct {
						Properties struct {
							Spec struct {
								Properties struct {
									Profile struct {
										Enum []v1alpha1.Profile `json:"enum"`
									} `json:"profile"`
								} `json:"properties"`
							} `json:"spec"`
						} `json:"properties"`
					} `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	known := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties.Spec.Properties.Profile.Enum
	if len(known) == 0 || len(known) != len(profiles) {
		t.Errorf("the API knows %v, and the table has %d profiles", known, len(profiles))
	}
	for _, p := range known {
		if _, err := traitsOf(p); err != nil {
			t.Error(err)
		}
	}
}

func TestAnUnlistedProfileIsBuiltNowhere(t *testing.T) {
	target := readTarget(t, "web-0")
	for mode, build := range map[v1alpha1.Mode]func(*v1alpha1.DebugSession) error{
		v1alpha1.ModeEphemeralContainer: func(s *v1alpha1.DebugSession) error { _, err := Ephemeral(s, target); return err },
		v1alpha1.ModePodCopy:            func(s *v1alpha1.DebugSession) error { _, err := Copy(s, target, now); return err },
		v1alpha1.ModeNode:               func(s *v1alpha1.DebugSession) error { _, err := Node(s, now); return err },
	} {
		wantInvalid(t, build(admitted(mode, profile("unheard"))), "spec.profile")
	}
	if !DropsAll("unheard") || GrantsPrivileged("unheard") || len(GrantedCapabilities("unheard")) > 0 {
		t.Error("a profile that nobody knows grants something")
	}
	if pod, err := Node(admitted(v1alpha1.ModeNode, profile("")), now); err != nil || !pod.Spec.HostPID {
		t.Errorf("no profile is not general: %v", err)
	}
}

// wantForbidden checks that err is a *ForbiddenError about that field which says so.
func wantForbidden(t *testing.T, err error, field, says string) {
	t.Helper()
	var forbidden *ForbiddenError
	if !errors.As(err, &forbidden) {
		t.Fatalf("error %v, want a *ForbiddenError", err)
	}
	if forbidden.Field != field || !strings.Contains(forbidden.Message, says) {
		t.Errorf("%q, want one about %s that says %q", forbidden.Error(), field, says)
	}
}

func containerNamed(t *testing.T, pod *corev1.Pod, name string) *corev1.Container {
	t.Helper()
	container := findContainer(&pod.Spec, name)
	if container == nil {
		t.Fatalf("no container %q among %v", name, ContainerNames(pod))
	}
	return container
}
