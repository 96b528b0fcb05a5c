package request

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// Session is the session that the options ask for, in the name of user.
func (o *Options) Session(kindOf KindOf, user string, now time.Time) (*v1alpha1.DebugSession, error) {
	target, short, err := o.target(kindOf)
	if err != nil {
		return nil, err
	}
	if err := o.checkAlone(&target); err != nil {
		return nil, err
	}
	if target.IsAlone() {
		inPod := *o
		inPod.Copy = true
		o = &inPod
	}
	if err := o.check(target); err != nil {
		return nil, err
	}
	session := &v1alpha1.DebugSession{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession"},
		ObjectMeta: metav1.ObjectMeta{Name: o.Name, Namespace: o.Namespace},
		Spec: v1alpha1.DebugSessionSpec{
			ClassName: o.Class,
			Reason:    o.Reason,
			Target:    target,
			Mode:      v1alpha1.ModeEphemeralContainer,
			Profile:   v1alpha1.Profile(o.Profile),
			Debugger:  o.debugger(),
			Emergency: o.Emergency,
		},
	}
	if session.Name == "" {
		session.Name = Name(user, short, now)
	}
	for _, name := range o.ImagePullSecrets {
		session.Spec.ImagePullSecrets = append(session.Spec.ImagePullSecrets, v1alpha1.ImagePullSecret{Name: name})
	}
	if o.TTL != 0 {
		session.Spec.TTL = &metav1.Duration{Duration: o.TTL}
	}
	if o.IdleTimeout != 0 {
		session.Spec.IdleTimeout = &metav1.Duration{Duration: o.IdleTimeout}
	}
	if o.NotAfter != nil {
		session.Spec.NotAfter = &metav1.Time{Time: o.NotAfter.UTC().Truncate(time.Second)}
	}
	switch {
	case target.NodeName != "", target.IsPodNetwork():
		session.Spec.Mode = v1alpha1.ModeNode
	case target.IsAlone():
		session.Spec.Mode, session.Spec.PodCopy = v1alpha1.ModePodCopy, o.podOfTarget()
	case o.copies():
		session.Spec.Mode, session.Spec.PodCopy = v1alpha1.ModePodCopy, o.podCopy()
	}
	return session, nil
}

// Unused tells of what was typed and means nothing for the session; empty if all of it does. kubectl debug names the container by -c.
func (o *Options) Unused() string {
	if o.Container == "" || o.copies() || o.TargetImage != "" {
		return ""
	}
	return "-c " + o.Container + " has no effect without a copy: a session names its own debugger, and --target selects whose processes it sees"
}

// check refuses what contradicts itself, in the words that help: the API server would name fields that nobody typed.
func (o *Options) check(target v1alpha1.Target) error {
	switch {
	case o.Emergency && strings.TrimSpace(o.Reason) == "":
		return errors.New("--emergency requires --reason: reviewers read it")
	case o.TTY && !o.Stdin:
		return errors.New("-t needs -i: use -it")
	case target.NodeName != "" && o.copies():
		return errors.New("a node cannot be copied: omit --copy and --copy-to")
	case target.NodeName != "" && o.TargetContainer != "":
		return errors.New("a node has no containers: omit --target")
	case o.copies() && o.TargetContainer != "" && o.Container == "" && o.Image == "":
		return errors.New("--target is for a debugger in a running pod; in a copy, specify the container to change with -c")
	case !o.copies() && len(o.SetImages) > 0:
		return errors.New("--set-image requires a copy: add --copy or --copy-to NAME")
	case !o.copies() && (o.SameNode || o.Replace):
		return errors.New("--same-node and --replace require a copy: add --copy or --copy-to NAME")
	case !o.copies() && (o.Keep.Labels || o.Keep.Annotations || o.Keep.Liveness || o.Keep.Readiness || o.Keep.Startup):
		return errors.New("--keep-labels and similar flags require a copy: add --copy or --copy-to NAME")
	case o.ArgumentsOnly && len(o.Command) == 0:
		return errors.New("--arguments-only needs arguments: add -- ARGUMENT…")
	}
	return errors.Join(o.checkPodNetwork(target), o.checkWhen(target), o.checkAll(target), o.checkPullSecrets(target), o.checkEnvFromTarget(target), o.checkIdleTimeout(target), o.checkArtifacts(), checkCustom(o.Custom))
}

// checkPodNetwork refuses what a debugger cannot have that is in a pod's network, and in nothing else of the pod.
func (o *Options) checkPodNetwork(target v1alpha1.Target) error {
	switch {
	case o.PodNamespace == "":
		return nil
	case !target.IsPodNetwork():
		return errors.New("--pod-namespace is for one pod: specify POD")
	case o.copies():
		return errors.New("--pod-namespace joins the network of a pod that runs: omit --copy and --copy-to")
	case o.TargetContainer != "":
		return errors.New("a pod's containers share its network: omit --target")
	case len(o.Artifacts) > 0:
		return errors.New("no file is read out of a debugger in a pod's network: omit --artifact, and have the command print what is to be kept")
	default:
		return nil
	}
}

// checkAll refuses what is not about many pods.
func (o *Options) checkAll(target v1alpha1.Target) error {
	switch {
	case o.All == 0:
		return nil
	case target.Workload == nil && target.Selector == nil:
		return errors.New("--all debugs many pods: specify KIND/NAME such as deploy/checkout, or -l LABEL=VALUE")
	case o.Pick != "" || o.When != nil:
		return errors.New("--all debugs each of the pods: omit --pick and --when")
	case o.CopyTo != "" || o.Replace:
		return errors.New("with --all each copy has a name of its own, and replaces nothing: use --copy, and omit --replace")
	default:
		return nil
	}
}

// checkWhen refuses what cannot be waited for.
func (o *Options) checkWhen(target v1alpha1.Target) error {
	switch {
	case o.When == nil:
		return nil
	case target.Workload == nil && target.Selector == nil:
		return errors.New("--when waits for one of many pods: specify KIND/NAME such as deploy/checkout, or -l LABEL=VALUE")
	case o.Pick != "":
		return errors.New("--when picks the pod: omit --pick")
	case o.NotAfter == nil:
		return errors.New("--when requires --not-after: until when to wait, such as 8h")
	case o.When.Times != 0 && (o.CopyTo != "" || o.Replace):
		return errors.New("with --times each copy has a name of its own, and replaces nothing: use --copy, and omit --replace")
	default:
		return nil
	}
}

// checkPullSecrets refuses Secrets where no pod is made that could have them.
func (o *Options) checkPullSecrets(target v1alpha1.Target) error {
	if len(o.ImagePullSecrets) == 0 || o.copies() || target.NodeName != "" || target.IsPodNetwork() {
		return nil
	}
	return errors.New("--image-pull-secret requires a copy or a node: a debugger in a running pod is pulled with the pod's own imagePullSecrets; add --copy or --copy-to NAME")
}

// checkEnvFromTarget refuses it where there is no environment to take, or where it is there already.
func (o *Options) checkEnvFromTarget(target v1alpha1.Target) error {
	switch {
	case !o.EnvFromTarget:
		return nil
	case target.NodeName != "":
		return errors.New("a node has no environment to take: omit --env-from-target")
	case target.IsPodNetwork():
		return errors.New("a pod's network has no environment to take: omit --env-from-target")
	case o.debugger().Container != "":
		return errors.New("the container named by -c keeps its own environment: omit --env-from-target")
	default:
		return nil
	}
}

// checkIdleTimeout refuses it where nothing tells whether a debugger is used.
func (o *Options) checkIdleTimeout(target v1alpha1.Target) error {
	switch {
	case o.IdleTimeout == 0:
		return nil
	case target.NodeName != "" || target.IsPodNetwork() || o.copies():
		return errors.New("--idle-timeout is for a debugger in a running pod: idle time cannot be measured in a copy, on a node or in a pod's network; omit it")
	case !o.debugger().TTY:
		return errors.New("--idle-timeout needs a terminal to measure idle time: add -it, or omit it")
	default:
		return nil
	}
}

// checkArtifacts refuses it where no command ends by itself.
func (o *Options) checkArtifacts() error {
	if d := o.debugger(); len(o.Artifacts) > 0 && (len(d.Command) == 0 || d.Stdin || d.TTY) {
		return errors.New("--artifact keeps what a command leaves: add -- COMMAND, and omit -i and -t; kubectl dbg cp copies files out of a debugger that runs")
	}
	return nil
}

// checkCustom refuses what kubectl debug refuses in --custom, and what a debugger does not have.
func checkCustom(custom *corev1.Container) error {
	if custom == nil {
		return nil
	}
	if custom.Name != "" || len(custom.Command) > 0 || custom.Image != "" {
		return errors.New("--custom cannot set name, command or image: use --image and -- COMMAND")
	}
	if custom.Lifecycle != nil || len(custom.VolumeDevices) > 0 || len(custom.Ports) > 0 ||
		custom.LivenessProbe != nil || custom.ReadinessProbe != nil || custom.StartupProbe != nil {
		return errors.New("--custom cannot set lifecycle, volumeDevices, ports or probes: a debugger has none")
	}
	return nil
}

func (o *Options) debugger() v1alpha1.Debugger {
	if o.ChangesOnly() {
		return v1alpha1.Debugger{}
	}
	d := custom(o.Custom)
	d.Image = o.Image
	if o.ImagePullPolicy != "" {
		d.ImagePullPolicy = o.ImagePullPolicy
	}
	d.EnvFromTarget = o.EnvFromTarget
	d.Artifacts = o.Artifacts
	d.Stdin, d.TTY, d.Env = d.Stdin || o.Stdin, d.TTY || o.TTY, o.env()
	if o.ArgumentsOnly {
		d.Args = o.Command
	} else if len(o.Command) > 0 {
		d.Command = o.Command
	}
	if o.copies() && (o.Image == "" || o.Containers == nil || slices.Contains(o.Containers, o.Container)) {
		d.Container = o.Container
	}
	return d
}

// custom is what --custom says of the debugger, but for its environment.
func custom(c *corev1.Container) v1alpha1.Debugger {
	if c == nil {
		return v1alpha1.Debugger{}
	}
	d := v1alpha1.Debugger{
		Args: c.Args, WorkingDir: c.WorkingDir, EnvFrom: c.EnvFrom, VolumeMounts: c.VolumeMounts,
		SecurityContext: c.SecurityContext, ImagePullPolicy: c.ImagePullPolicy, TerminationMessagePolicy: c.TerminationMessagePolicy,
		Stdin: c.Stdin, StdinOnce: c.StdinOnce, TTY: c.TTY,
	}
	if len(c.Resources.Limits) > 0 || len(c.Resources.Requests) > 0 || len(c.Resources.Claims) > 0 {
		d.Resources = c.Resources.DeepCopy()
	}
	return d
}

// env is the debugger's environment. What --custom says of it wins, as with kubectl debug.
func (o *Options) env() []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		env = append(env, corev1.EnvVar{Name: name, Value: o.Env[name]})
	}
	if o.Custom != nil {
		env = debugpod.Override(env, o.Custom.Env)
	}
	return env
}

// ChangesOnly reports whether a copy gets other images, and no debugger.
func (o *Options) ChangesOnly() bool {
	return o.copies() && len(o.SetImages) > 0 && o.Image == "" && o.Container == "" && len(o.Command) == 0 && !o.EnvFromTarget
}

func (o *Options) podCopy() *v1alpha1.PodCopy {
	shares := o.ShareProcesses
	made := &v1alpha1.PodCopy{Name: o.CopyTo, ShareProcesses: &shares, SameNode: o.SameNode, Keep: o.Keep.list()}
	if o.Replace {
		made.ReplaceOriginal = v1alpha1.ReplaceAlways
	}
	for _, name := range slices.Sorted(maps.Keys(o.SetImages)) {
		made.Containers = append(made.Containers, v1alpha1.ContainerChange{Name: name, Image: o.SetImages[name]})
	}
	return made
}

func (k Kept) list() []v1alpha1.Keep {
	kept := []v1alpha1.Keep{}
	for _, one := range []struct {
		keep v1alpha1.Keep
		yes  bool
	}{
		{v1alpha1.KeepLabels, k.Labels}, {v1alpha1.KeepAnnotations, k.Annotations},
		{v1alpha1.KeepLivenessProbe, k.Liveness}, {v1alpha1.KeepReadinessProbe, k.Readiness},
		{v1alpha1.KeepStartupProbe, k.Startup}, {v1alpha1.KeepInitContainers, k.InitContainers},
	} {
		if one.yes {
			kept = append(kept, one.keep)
		}
	}
	return kept
}
