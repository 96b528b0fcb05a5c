package policy_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/policy"
)

// A class that came to allow less than it granted takes the grant back, and one that allows more changes nothing of it.
func TestArtifactsThatWereGranted(t *testing.T) {
	keeps := func(most string) *v1alpha1.DebugClass {
		return fixture.Class(func(c *v1alpha1.DebugClassSpec) {
			c.Artifacts = &v1alpha1.ArtifactPolicy{}
			if most != "" {
				c.Artifacts.MaxSize = new(resource.MustParse(most))
			}
		})
	}
	session := fixture.Session(func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Artifacts = []string{"/tmp/a"} })
	granted := policy.Grant(keeps(""), &session.Spec)
	if granted.MaxArtifactSize.String() != "16Mi" {
		t.Errorf("granted %s", granted.MaxArtifactSize)
	}
	for most, says := range map[string]string{"": "", "16Mi": "", "1Gi": "", "15Mi": "it granted artifacts of up to 16Mi, but its artifacts.maxSize is now 15Mi"} {
		if why := policy.Revalidate(keeps(most), &session.Spec, granted); !strings.Contains(why, says) || (says == "") != (why == "") {
			t.Errorf("%s: %q", most, why)
		}
	}
	if other := policy.Grant(keeps(""), &fixture.Session().Spec); other.MaxArtifactSize != nil {
		t.Errorf("a session without artifacts was granted %s", other.MaxArtifactSize)
	}
	for most, valid := range map[string]bool{"1": true, "1Gi": true, "0": false, "-1": false, "1025Mi": false} {
		if wrong := policy.Validate(&keeps(most).Spec); (len(wrong) == 0) != valid {
			t.Errorf("%s: %q", most, wrong)
		}
	}
}

// A class says which of its sessions wait where there is no store.
func TestClassWithoutStore(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.DebugClassSpec)
		says   string
		all    bool
	}{
		"needs none": {func(*v1alpha1.DebugClassSpec) {}, "", false},
		"requires a record": {func(c *v1alpha1.DebugClassSpec) {
			c.Audit, c.Artifacts = v1alpha1.AuditRequired, &v1alpha1.ArtifactPolicy{}
		}, "every session wait", true},
		"keeps artifacts": {func(c *v1alpha1.DebugClassSpec) { c.Artifacts = &v1alpha1.ArtifactPolicy{} }, "keep artifacts wait", false},
	} {
		why, all := policy.WithoutStore(&fixture.Class(tc.change).Spec)
		if all != tc.all || (why == "") != (tc.says == "") || !strings.Contains(why, tc.says) {
			t.Errorf("%s: %q, %t", name, why, all)
		}
	}
}
