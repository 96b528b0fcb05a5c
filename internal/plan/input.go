package plan

import (
	"fmt"
	"path"
	"slices"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/imagepattern"
)

var (
	shells     = []string{"sh", "ash", "bash", "dash", "ksh", "zsh"}
	shellFlags = []string{"-i", "-l", "-il", "-li", "--login", "--norc"}
)

// runsShell reports whether what the session has the debugger run is a shell that reads its commands from its input; unsure if the
// image decides.
func runsShell(spec *v1alpha1.DebugSessionSpec) (shell, unsure bool) {
	words := slices.Concat(spec.Debugger.Command, spec.Debugger.Args)
	switch {
	case debugpod.OnlyChanges(spec), spec.Debugger.Container != "" && len(words) == 0:
		return false, false
	case len(words) == 0:
		return true, makesPod(spec) || spec.Debugger.Unstoppable
	case len(spec.Debugger.Command) == 0:
		return false, false
	}
	others := slices.DeleteFunc(slices.Clone(words[1:]), func(w string) bool { return slices.Contains(shellFlags, w) })
	return slices.Contains(shells, path.Base(words[0])) && len(others) == 0, false
}

const setStdin = "set debugger.stdin: true and tty: true to type into it, or set debugger.command"

// Warnings are what is likely to be a mistake in a session that may be as it is.
func Warnings(spec *v1alpha1.DebugSessionSpec) []string {
	warnings := imageWarnings(spec)
	shell, unsure := runsShell(spec)
	switch {
	case !shell || spec.Debugger.Stdin:
	case unsure:
		warnings = append(warnings, "spec.debugger: neither command nor stdin is set: if the image runs a shell, it gets no input and exits at once; "+setStdin)
	default:
		warnings = append(warnings, "spec.debugger: a shell without stdin gets no input and exits at once unless it has a tty; "+setStdin)
	}
	return warnings
}

// imageWarnings tell of images that no node can pull, as what they are called is no image's name.
func imageWarnings(spec *v1alpha1.DebugSessionSpec) []string {
	var warnings []string
	warn := func(field, image string) {
		if image == "" {
			return
		}
		if _, err := imagepattern.Normalize(image); err != nil {
			warnings = append(warnings, fmt.Sprintf("%s: %q is not a valid image name: %v", field, image, err))
		}
	}
	warn("spec.debugger.image", spec.Debugger.Image)
	if spec.PodCopy != nil {
		for i := range spec.PodCopy.Containers {
			warn(fmt.Sprintf("spec.podCopy.containers[%d].image", i), spec.PodCopy.Containers[i].Image)
		}
	}
	return warnings
}

// wantOfInput explains the end of a shell that had none, as the end of a message.
func wantOfInput(spec *v1alpha1.DebugSessionSpec) string {
	shell, unsure := runsShell(spec)
	switch {
	case !shell || spec.Debugger.Stdin:
		return ""
	case unsure:
		return " and wrote nothing: if the image runs a shell, it had no input; in a new session, " + setStdin
	default:
		return ": a shell without stdin gets no input; in a new session, " + setStdin
	}
}
