package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Pod Security judges a whole pod whenever a debugger is added to it, and names the containers that violate the level:
// seccompProfile (pod or containers "a", "b" must set …).
var (
	violatingContainers = regexp.MustCompile(`containers? ("[^"]+"(?:, "[^"]+")*)`)
	quotedName          = regexp.MustCompile(`"([^"]+)"`)
)

// violatedBefore is what can be done where Pod Security refuses the pod for containers that were in it before the debugger, which is
// called added; or "" if it does not.
func violatedBefore(words, added string) string {
	_, clauses, found := strings.Cut(words, "violates PodSecurity")
	if !found {
		return ""
	}
	var before []string
	itself := false
	for _, list := range violatingContainers.FindAllStringSubmatch(clauses, -1) {
		for _, name := range quotedName.FindAllStringSubmatch(list[1], -1) {
			switch {
			case name[1] == added:
				itself = true
			case !slices.Contains(before, name[0]):
				before = append(before, name[0])
			}
		}
	}
	if len(before) == 0 {
		return ""
	}
	advice := fmt.Sprintf("the violation was already in the pod: container %s, such as an earlier debugger, which cannot be removed "+
		"(kubectl get dbg -o wide shows whose it was); use mode: PodCopy, whose copy omits earlier debuggers", strings.Join(before, ", "))
	if itself {
		return advice + ", with a profile that the namespace's Pod Security level allows, such as profile: restricted: this debugger violates it too"
	}
	return advice + "; this session's debugger complies with the level"
}
