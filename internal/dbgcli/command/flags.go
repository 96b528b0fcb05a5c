package command

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/request"
	"debugsession.dev/operator/internal/plaintext"
)

// requestFlags are the flags that say what a session is to be: those of kubectl debug, under their names, and the session's own.
type requestFlags struct {
	custom   string
	notAfter string
	pull     string
	pick     string
	when     string
	times    int32
	files    []string
	attach   bool
}

func (f *requestFlags) bind(flags *pflag.FlagSet, r *request.Options) {
	flags.StringVarP(&r.Selector, "selector", "l", "", "Debug one of the pods that match this label selector, instead of a named target.")
	flags.StringSliceVarP(&f.files, "filename", "f", nil, "Debug the pod, workload or node that this manifest describes.")
	flags.StringVar(&r.TargetImage, "target-image", "", "Debug this image, instead of a named target: a pod is made of it and the debugger, if the class allows it.")
	flags.StringVar(&r.MountPath, "mount-path", "", "With pvc/NAME: where its volume is mounted in the debugger. Defaults to /mnt.")
	flags.BoolVar(&r.ReadWrite, "read-write", false, "With pvc/NAME: mount its volume for writing, if the class allows it.")
	flags.StringVar(&r.PodNamespace, "pod-namespace", "", "Debug from inside the network of POD, which is in this namespace, and in nothing else of it: to capture its packets. -n is the namespace for node debuggers.")
	flags.StringVar(&f.pick, "pick", "", "Which pod of a workload or selector: Ready, Unhealthy, Newest or Oldest. By default, pods that are not ready come first, then the newest.")

	flags.StringVar(&f.when, "when", "", "Do not start yet, but in the first pod that crashes (crashed) or is not ready for so long (notReadyFor=2m). Requires --not-after.")
	flags.Int32Var(&f.times, "times", 0, "With --when: debug more than the first pod, one each time it happens, until there were so many (2 to 20), if the class allows it.")

	flags.Int32Var(&r.All, "all", 0, "Debug each of the pods of a workload or selector at the same time, if there are no more than so many (1 to 50), and the class allows it.")
	flags.Lookup("all").NoOptDefVal = strconv.Itoa(defaultMembers)

	flags.StringVar(&r.Image, "image", "", "The debugger's image. Defaults to the class's default image.")
	flags.StringVar(&r.TargetContainer, "target", "", "The container whose processes the debugger sees. Defaults to the pod's default container.")
	flags.StringVarP(&r.Container, "container", "c", "", "With a copy: debug in this container of the copy, instead of a new one.")
	flags.BoolVar(&r.Copy, "copy", false, "Debug a copy of the pod, and leave the pod untouched.")
	flags.StringVar(&r.CopyTo, "copy-to", "", "Same as --copy, with a name for the copy.")
	flags.BoolVar(&r.Replace, "replace", false, "With a copy: delete the original once the copy runs, if the class allows it.")
	flags.BoolVar(&r.SameNode, "same-node", false, "With a copy: run it on the original's node.")
	flags.BoolVar(&r.ShareProcesses, "share-processes", true, "With a copy: share a process namespace between its containers.")
	flags.StringToStringVar(&r.SetImages, "set-image", nil, "With a copy: new images for its containers, as CONTAINER=IMAGE; * matches all of them.")
	flags.StringVar(&r.Profile, "profile", "", "What the debugger may do: "+plaintext.Or(v1alpha1.Profiles())+". Defaults to the class's default profile.")
	flags.StringVar(&f.custom, "custom", "", "A JSON or YAML file with a partial container spec for the debugger, whose fields override the profile.")
	flags.StringToStringVar(&r.Env, "env", nil, "Environment variables to set in the debugger, as NAME=VALUE.")
	flags.BoolVar(&r.EnvFromTarget, "env-from-target", false, "Give the debugger the environment of the target's container, if the class allows it. --env overrides it.")
	flags.StringSliceVar(&r.Artifacts, "artifact", nil, "With a COMMAND: keep this file of the debugger in the audit store when the command has ended, if the class allows it. May be repeated.")
	flags.BoolVar(&r.ArgumentsOnly, "arguments-only", false, "Pass everything after -- as arguments to the image's own command.")
	flags.BoolVarP(&r.Stdin, "stdin", "i", false, "Pass standard input to the debugger. On by default if no COMMAND is given.")
	flags.BoolVarP(&r.TTY, "tty", "t", false, "Allocate a terminal for the debugger. On by default if no COMMAND is given and you have a terminal.")
	flags.BoolVar(&f.attach, "attach", true, "Wait for the session and attach to it. --attach=false only creates it.")
	flags.StringVar(&f.pull, "image-pull-policy", "", "When to pull the image: Always, IfNotPresent or Never.")
	flags.StringSliceVar(&r.ImagePullSecrets, "image-pull-secret", nil, "With a copy or a node: a Secret to pull images with, beside the pod's own, if the class allows it. May be repeated.")
	flags.BoolVar(&r.Keep.Labels, "keep-labels", false, "With a copy: keep the pod's labels. Services may then send traffic to it.")
	flags.BoolVar(&r.Keep.Annotations, "keep-annotations", false, "With a copy: keep the pod's annotations.")
	flags.BoolVar(&r.Keep.Liveness, "keep-liveness", false, "With a copy: keep its liveness probes.")
	flags.BoolVar(&r.Keep.Readiness, "keep-readiness", false, "With a copy: keep its readiness probes.")
	flags.BoolVar(&r.Keep.Startup, "keep-startup", false, "With a copy: keep its startup probes.")
	flags.BoolVar(&r.Keep.InitContainers, "keep-init-containers", true, "With a copy: run its init containers.")

	f.bindSession(flags, r)
}

// bindSession binds the flags that say what is asked for beside the debugger.
func (f *requestFlags) bindSession(flags *pflag.FlagSet, r *request.Options) {
	flags.StringVar(&r.Class, "class", "", "The DebugClass. Defaults to the default class. kubectl dbg classes lists those that you may use.")
	flags.StringVar(&r.Reason, "reason", "", "Why you need the session. Kept on record, and shown to approvers.")
	flags.BoolVar(&r.Emergency, "emergency", false, "Start before the approval, if the class allows it: the session is announced, and must be reviewed. Requires --reason.")
	flags.DurationVar(&r.TTL, "ttl", 0, "How long the session lasts, such as 30m. Defaults to the class's default.")
	flags.DurationVar(&r.IdleTimeout, "idle-timeout", 0, "End the session once its terminal has been idle for this long, such as 15m, even if kubectl dbg was killed. Defaults to the class's default.")
	flags.StringVar(&f.notAfter, "not-after", "", "The session never starts after this time and never runs past it: a time such as 2026-12-01T18:00:00Z, or a duration from now such as 2h.")
	flags.StringVar(&r.Name, "name", "", "The session's name. Defaults to one made of user, target and time.")
}

// defaultMembers is how many pods --all debugs at the most if it does not say.
const defaultMembers = 20

// finish reads what a flag alone does not hold, into the request.
func (f *requestFlags) finish(r *request.Options, now time.Time) error {
	r.ImagePullPolicy, r.Pick = corev1.PullPolicy(f.pull), v1alpha1.Pick(f.pick)
	if f.when != "" {
		when, err := request.ParseWhen(f.when)
		if err != nil {
			return fmt.Errorf("--when: %w", err)
		}
		r.When = when
		when.Times = f.times
	} else if f.times != 0 {
		return errors.New("--times is about what is waited for: specify --when as well, such as --when=crashed")
	}
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
		return fmt.Errorf("--custom: %s is not a container in JSON or YAML: %w", f.custom, err)
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
		return at, fmt.Errorf("%q is neither a time such as 2026-12-01T18:00:00Z nor a duration such as 2h", text)
	}
	return at, nil
}
