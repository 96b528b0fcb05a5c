package diagnosis_test

import (
	"errors"
	"strings"
	"testing"

	"debugsession.dev/operator/internal/diagnosis"
)

// Pod Security judges the whole pod, so an old debugger in it has every later one refused.
func TestOldDebuggerRefused(t *testing.T) {
	const level = `pods "good" is forbidden: violates PodSecurity "restricted:latest": `
	for name, tc := range map[string]struct {
		words    string
		want     []string
		unwanted string
	}{
		"the old one": {level +
			`allowPrivilegeEscalation != false (container "debugger-old" must set securityContext.allowPrivilegeEscalation=false)`,
			[]string{`container "debugger-old"`, "mode: PodCopy", "complies with the level"}, "profile: restricted"},
		"several old ones": {level +
			`unrestricted capabilities (containers "debugger-old", "debugger-older" must set securityContext.capabilities.drop=["ALL"]), ` +
			`seccompProfile (pod or container "debugger-old" must set securityContext.seccompProfile.type to "RuntimeDefault" ` +
			`or "Localhost")`,
			[]string{`container "debugger-old", "debugger-older", such`, "mode: PodCopy"}, "profile: restricted"},
		"both": {level + `allowPrivilegeEscalation != false (containers "debugger-old", "debugger-new" must set ` +
			`securityContext.allowPrivilegeEscalation=false)`,
			[]string{`container "debugger-old"`, "mode: PodCopy", "profile: restricted", "this debugger violates it"}, "complies with the level"},
		"the new one": {level + `privileged (container "debugger-new" must not set securityContext.privileged=true)`,
			[]string{"profile: restricted"}, "PodCopy"},
	} {
		t.Run(name, func(t *testing.T) {
			message := diagnosis.Refused(errors.New(tc.words), "debugger-new")
			for _, want := range tc.want {
				if !strings.Contains(message, want) {
					t.Errorf("%s: want %q in it", message, want)
				}
			}
			if strings.Contains(message, tc.unwanted) {
				t.Errorf("%s: %q has no place in it", message, tc.unwanted)
			}
		})
	}
}
