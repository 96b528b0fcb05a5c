package command

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/request"
)

// requestFlags are the flags that say what a session is to be: those of kubectl debug, under their names, and the session's own.
type requestFlags struct {
	custom   string
	notAfter string
	pull     string
	pick     string
	files    []string
	attach   bool
}

func (f *requestFlags) bind(flags *pflag.FlagSet, r *request.Options) {
	flags.StringVarP(&r.Selector, "selector", "l", "", "Debug one of the pods with these labels, instead of a named target.")
	flags.StringSliceVarP(&f.files, "filename", "f", nil, "Debug what this manifest describes: a pod, a workload or a node.")
	flags.StringVar(&f.pick, "pick", "", "Which pod of a workload or selector: Ready, Unhealthy, Newest or Oldest. Left out: one that is not ready before one that is, then the newest.")

	flags.StringVar(&r.Image, "image", "", "The debugger's image. Left out: the class's default.")
	flags.StringVar(&r.TargetContainer, "target", "", "The container whose processes the debugger sees. Left out: the pod's default container.")
	flags.StringVarP(&r.Container, "container", "c", "", "With a copy: the container of it to debug in, instead of a new one.")
	flags.BoolVar(&r.Copy, "copy", false, "Debug a copy of the pod, and leave the pod alone.")
	flags.StringVar(&r.CopyTo, "copy-to", "", "The same, with a name for the copy.")
	flags.BoolVar(&r.Replace, "replace", false, "With a copy: delete the original once the copy runs, if the class allows it.")
	flags.BoolVar(&r.SameNode, "same-node", false, "With a copy: on the original's node.")
	flags.BoolVar(&r.ShareProcesses, "share-processes", true, "With a copy: its containers see one another's processes.")
	flags.StringToStringVar(&r.SetImages, "set-image", nil, "With a copy: other images for its containers, as CONTAINER=IMAGE; * is all of them.")
	flags.StringVar(&r.Profile, "profile", "", "What the debugger may do: general, baseline, restricted, netadmin, sysadmin or legacy. Left out: the class's default.")
	flags.StringVar(&f.custom, "custom", "", "A JSON or YAML file with more of the debugger's container: its fields win over the profile.")
	flags.StringToStringVar(&r.Env, "env", nil, "Environment variables of the debugger, as NAME=VALUE.")
	flags.BoolVar(&r.ArgumentsOnly, "arguments-only", false, "What comes after -- are arguments to the image's own command.")
	flags.BoolVarP(&r.Stdin, "stdin", "i", false, "Pass standard input to the debugger. Left out: if no COMMAND is given.")
	flags.BoolVarP(&r.TTY, "tty", "t", false, "Give the debugger a terminal. Left out: if no COMMAND is given and you have one.")
	flags.BoolVar(&f.attach, "attach", true, "Wait, and attach. --attach=false asks for the session and leaves it at that.")
	flags.StringVar(&f.pull, "image-pull-policy", "", "When the image is pulled: Always, IfNotPresent or Never.")
	flags.BoolVar(&r.Keep.Labels, "keep-labels", false, "With a copy: keep the pod's labels. Services may then send it traffic.")
	flags.BoolVar(&r.Keep.Annotations, "keep-annotations", false, "With a copy: keep the pod's annotations.")
	flags.BoolVar(&r.Keep.Liveness, "keep-liveness", false, "With a copy: keep its liveness probes.")
	flags.BoolVar(&r.Keep.Readiness, "keep-readiness", false, "With a copy: keep its readiness probes.")
	flags.BoolVar(&r.Keep.Startup, "keep-startup", false, "With a copy: keep its startup probes.")
	flags.BoolVar(&r.Keep.InitContainers, "keep-init-containers", true, "With a copy: run its init containers.")

	flags.StringVar(&r.Class, "class", "", "The DebugClass. Left out: the default one. kubectl dbg classes lists those that you may use.")
	flags.StringVar(&r.Reason, "reason", "", "Why: it stays on the record, and approvers read it.")
	flags.BoolVar(&r.Emergency, "emergency", false, "Start before the approval, where the class lets you: it is announced, and must be reviewed. Needs --reason.")
	flags.DurationVar(&r.TTL, "ttl", 0, "How long the session lasts, such as 30m. Left out: the class's default.")
	flags.DurationVar(&r.IdleTimeout, "idle-timeout", 0, "End the session when nobody has used its terminal for so long, such as 15m: also if kubectl dbg was killed. Left out: the class's default.")
	flags.StringVar(&f.notAfter, "not-after", "", "The session never starts after this time and never runs past it: 2026-12-01T18:00:00Z, or 2h from now.")
	flags.StringVar(&r.Name, "name", "", "The session's name. Left out: one of user, target and time.")
}

// finish reads what a flag alone does not hold, into the request.
func (f *requestFlags) finish(r *request.Options, now time.Time) error {
	r.ImagePullPolicy, r.Pick = corev1.PullPolicy(f.pull), v1alpha1.Pick(f.pick)
	if f.notAfter != "" {
		at, err := parseTime(f.notAfter, now)
		if err != nil {
			return fmt.Errorf("--not-after: %w", err)
		}
		r.NotAfter = &at
	}
	if f.custom == "" {
		return nil
	}
	text, err := os.ReadFile(f.custom)
	if err != nil {
		return fmt.Errorf("--custom: %w", err)
	}
	r.Custom = &corev1.Container{}
	if err := yaml.UnmarshalStrict(text, r.Custom); err != nil {
		return fmt.Errorf("--custom: %s is no container in JSON or YAML: %w", f.custom, err)
	}
	return nil
}

// parseTime reads a moment, or how long it is until then.
func parseTime(text string, now time.Time) (time.Time, error) {
	if in, err := time.ParseDuration(text); err == nil {
		return now.Add(in), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is no time such as 2026-12-01T18:00:00Z, and no duration such as 2h", text)
	}
	return at, nil
}
