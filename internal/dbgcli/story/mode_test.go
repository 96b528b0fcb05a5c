package story

import (
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestWhatIsDebugged(t *testing.T) {
	writes := false
	for want, target := range map[string]v1alpha1.Target{
		"a copy of pod web":                           {PodName: "web"},
		"a debugger with volume claim data":           {VolumeClaim: &v1alpha1.VolumeClaim{Name: "data"}},
		"a debugger with volume claim data, to write": {VolumeClaim: &v1alpha1.VolumeClaim{Name: "data", ReadOnly: &writes}},
		"a debugger with image web:1":                 {Image: "web:1"},
	} {
		spec := &v1alpha1.DebugSessionSpec{Mode: v1alpha1.ModePodCopy, Target: target}
		if got := brings(spec, asked(&spec.Target)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for want, target := range map[string]v1alpha1.TargetStatus{
		"pod web to its copy":                                      {PodName: "web"},
		"nothing (deployment/web has no pods) to its copy":         {Name: "deployment/web", WorkloadUID: "1"},
		"nothing to a pod with pvc/data":                           {Name: "pvc/data", ClaimUID: "1"},
		"nothing to a pod with image/docker.io/library/web:latest": {Name: "image/docker.io/library/web:latest", Image: "docker.io/library/web:latest"},
	} {
		if now, then := Sides(v1alpha1.ModePodCopy, &target, true); now+" to "+then != want {
			t.Errorf("%q, want %q", now+" to "+then, want)
		}
	}
}
