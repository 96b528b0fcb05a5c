package sessions

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestPulledBy(t *testing.T) {
	pulling := corev1.Event{Reason: "Pulling", Message: `Pulling image "registry.example.com/big:1"`}
	for name, tc := range map[string]struct {
		events []corev1.Event
		want   string
	}{
		"nothing is said": {},
		"begun": {
			[]corev1.Event{{Reason: "Scheduled", Message: "assigned"}, pulling},
			"registry.example.com/big:1",
		},
		"done":                            {[]corev1.Event{pulling, {Reason: "Pulled", Message: "Successfully pulled"}}, ""},
		"it was there":                    {[]corev1.Event{{Reason: "Pulled", Message: "already present on machine"}}, ""},
		"somebody else's words, no image": {[]corev1.Event{{Reason: "Pulling", Message: "an image"}}, ""},
	} {
		if got := pulledBy(tc.events); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
