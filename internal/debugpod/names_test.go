package debugpod

import (
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

const (
	uidA = types.UID("0d9b6c1e-52a7-4f6c-9f43-6a1f6b1f0a01")
	uidB = types.UID("0d9b6c1e-52a7-4f6c-9f43-6a1f6b1f0a02")
)

func TestContainerName(t *testing.T) {
	name := ContainerName(uidA)
	if !regexp.MustCompile(`^debugger-[0-9a-z]{8}$`).MatchString(name) {
		t.Errorf("ContainerName = %q: not debugger- and eight characters", name)
	}
	if errs := validation.IsDNS1123Label(name); len(errs) > 0 {
		t.Errorf("ContainerName = %q: %v", name, errs)
	}
	if again := ContainerName(uidA); again != name {
		t.Errorf("ContainerName of one UID: %q, then %q", name, again)
	}
	if other := ContainerName(uidB); other == name {
		t.Errorf("ContainerName of two UIDs: both %q", name)
	}
}

// The names are part of what an upgraded operator must find again, so they are pinned here.
func TestNamesStayAsTheyAre(t *testing.T) {
	if got, want := ContainerName(uidA), "debugger-4r6j5qpm"; got != want {
		t.Errorf("ContainerName = %q, want %q: sessions that run during an upgrade would get a second debugger", got, want)
	}
	if got, want := CopyName("web-0", uidA), "web-0-debug-4r6j5"; got != want {
		t.Errorf("CopyName = %q, want %q: sessions that run during an upgrade would get a second copy", got, want)
	}
	if got, want := NodePodName("node-1", uidA), "node-debugger-node-1-4r6j5"; got != want {
		t.Errorf("NodePodName = %q, want %q: sessions that run during an upgrade would get a second pod", got, want)
	}
}

func TestCopyNameShortens(t *testing.T) {
	for _, test := range []struct{ target, prefix string }{
		{"web", "web-debug-"},
		{strings.Repeat("a", 51), strings.Repeat("a", 51) + "-debug-"},
		{strings.Repeat("a", 52), strings.Repeat("a", 51) + "-debug-"},
		{strings.Repeat("a", 50) + "-b", strings.Repeat("a", 50) + "-debug-"},
		{strings.Repeat("a", 48) + "--.bcd", strings.Repeat("a", 48) + "-debug-"},
	} {
		got := CopyName(test.target, uidA)
		if got[:len(got)-5] != test.prefix {
			t.Errorf("CopyName(%q) = %q, want %q and five characters", test.target, got, test.prefix)
		}
	}
}

func TestNamesAreAlwaysPodNames(t *testing.T) {
	label := `[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?`
	names := rapid.StringMatching(label + `(\.` + label + `){0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		target := names.Draw(t, "target")
		uid := types.UID(rapid.String().Draw(t, "uid"))
		for _, name := range []string{CopyName(target, uid), NodePodName(target, uid)} {
			if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 || len(name) > 63 {
				t.Fatalf("%q, for %q, of %d characters: %v", name, target, len(name), errs)
			}
		}
	})
}

func TestDefaultContainer(t *testing.T) {
	for _, test := range []struct {
		name       string
		annotation string
		containers []string
		want       string
	}{
		{"the first", "", []string{"app", "proxy"}, "app"},
		{"the annotated one", "proxy", []string{"app", "proxy"}, "proxy"},
		{"the first when the annotated one is not there", "gone", []string{"app", "proxy"}, "app"},
		{"none of none", "gone", nil, ""},
	} {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"kubectl.kubernetes.io/default-container": test.annotation}},
		}
		for _, name := range test.containers {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name})
		}
		pod.Spec.InitContainers = []corev1.Container{{Name: "gone"}}
		if got := DefaultContainer(pod); got != test.want {
			t.Errorf("%s: DefaultContainer = %q, want %q", test.name, got, test.want)
		}
	}
}
