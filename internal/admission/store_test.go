package admission

import (
	"strings"
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// Whoever applies what needs a store is warned where there is none, and nobody else is.
func TestWarnedOfNoStore(t *testing.T) {
	required := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Audit = v1alpha1.AuditRequired })
	keeping := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Artifacts = &v1alpha1.ArtifactPolicy{} })
	plain := fixture.Session()
	keeps := fixture.Session(func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Artifacts = []string{"/tmp/a"} })
	for name, tc := range map[string]struct {
		class   *v1alpha1.DebugClass
		session *v1alpha1.DebugSession
		says    string
	}{
		"a record":            {required, plain, "requires an audit record"},
		"artifacts":           {keeping, keeps, "keeps artifacts"},
		"neither":             {keeping, plain, ""},
		"a record, and files": {required, keeps, "requires an audit record"},
	} {
		without, with := &Server{}, &Server{AuditStore: true}
		said := strings.Join(without.storeWarning(tc.class, tc.session), "\n")
		if (said == "") != (tc.says == "") || !strings.Contains(said, tc.says) || said != "" && !strings.Contains(said, "waits for 5m, and then ends as TimedOut") {
			t.Errorf("%s: %q", name, said)
		}
		if more := append(with.storeWarning(tc.class, tc.session), with.storeWarnings(&tc.class.Spec)...); len(more) > 0 {
			t.Errorf("%s, with a store: %q", name, more)
		}
		if len(without.storeWarnings(&tc.class.Spec)) != 1 {
			t.Errorf("%s: the class's author is not warned", name)
		}
	}
}
