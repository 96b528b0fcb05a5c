package debugpod

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestImageName(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	for image, want := range map[string]string{
		"busybox":                              "busybox",
		"registry.example:5000/shop/web:1.2":   "web",
		"registry.example/shop/web" + digest:   "web",
		"registry.example/shop/web:1" + digest: "web",
		"registry.example/shop/web_app.v2":     "web-app-v2",
		"registry.example/__":                  "image",
		"":                                     "image",
	} {
		got := ImageName(image)
		if got != want {
			t.Errorf("%s: %s, want %s", image, got, want)
		}
		if wrong := validation.IsDNS1123Label(CopyName(got, uidA)); len(wrong) > 0 {
			t.Errorf("%s: no pod can be called %s: %v", image, got, wrong)
		}
	}
}

// What a profile gives the debugger it does not give the image, and what it takes away it takes away from both.
func TestImageIsConfined(t *testing.T) {
	for _, profile := range v1alpha1.Profiles() {
		session := admitted(v1alpha1.ModePodCopy, func(s *v1alpha1.DebugSession) {
			s.Spec.Target, s.Spec.Profile = v1alpha1.Target{Image: "web:1"}, profile
			s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: ImageContainer, Command: []string{"sleep", "infinity"}}}
			s.Status.Class.Allows = &v1alpha1.ClassAllows{}
		})
		pod, err := Copy(session, ImagePod("shop", "web:1"), now)
		if err != nil {
			t.Fatal(err)
		}
		if len(pod.Spec.Containers) != 2 || len(pod.Spec.Volumes) != 0 || *pod.Spec.AutomountServiceAccountToken || !*pod.Spec.ShareProcessNamespace {
			t.Fatalf("%s: the pod is %+v", profile, pod.Spec)
		}
		app := pod.Spec.Containers[0]
		if app.Name != "app" || app.Image != "web:1" || app.Command[0] != "sleep" {
			t.Errorf("%s: its container is %+v", profile, app)
		}
		sc := app.SecurityContext
		confined := sc != nil && *sc.RunAsNonRoot && !*sc.AllowPrivilegeEscalation && sc.Capabilities.Drop[0] == "ALL" && len(sc.Capabilities.Add) == 0 &&
			sc.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault && sc.Privileged == nil
		if profile == v1alpha1.ProfileRestricted && !confined || profile != v1alpha1.ProfileRestricted && sc != nil {
			t.Errorf("%s: the image runs with %+v", profile, sc)
		}
	}
}
