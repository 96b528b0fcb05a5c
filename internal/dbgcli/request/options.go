// Package request turns what was typed into the DebugSession that it asks for. It is pure: it reads no files, and asks no
// server.
package request

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// Options is what was typed: the flags of kubectl debug with their names and meanings, and the session's own.
type Options struct {
	// Target is POD or KIND/NAME. Selector takes its place.
	Target   string
	Selector string
	Pick     v1alpha1.Pick

	Name      string
	Namespace string

	// The flags of kubectl debug.
	Image           string
	TargetContainer string
	Container       string
	CopyTo          string
	Replace         bool
	SameNode        bool
	ShareProcesses  bool
	SetImages       map[string]string
	Profile         string
	Custom          *corev1.Container
	Env             map[string]string
	ArgumentsOnly   bool
	Command         []string
	Stdin           bool
	TTY             bool
	ImagePullPolicy corev1.PullPolicy
	Keep            Kept

	// ImagePullSecrets are the names of Secrets for the pod that is made.
	ImagePullSecrets []string

	// EnvFromTarget gives the debugger the environment of the target's container.
	EnvFromTarget bool

	// Artifacts are the paths of files that are kept when the command has ended.
	Artifacts []string

	// TargetImage is an image to debug, in place of Target.
	TargetImage string

	// MountPath is where a claim is mounted that is debugged, and ReadWrite whether for writing.
	MountPath string
	ReadWrite bool

	// Containers are the names of the target's containers, if they are known: -c with --image is an existing one, or a new one.
	Containers []string

	// PodNamespace is the namespace of the pod whose network the debugger joins; empty: it joins the pod itself.
	PodNamespace string

	// Copy asks for a copy under a name that is chosen for it.
	Copy bool

	// When has the session wait, armed, for one of the target's pods; nil: it starts as soon as it may.
	When *v1alpha1.When

	// All is the most pods that are debugged, if each of the target's is; 0: one of them.
	All int32

	// Emergency starts the session before its approval.
	Emergency bool

	Class    string
	Reason   string
	TTL      time.Duration
	NotAfter *time.Time

	// IdleTimeout is after how long without use the session ends; 0: what its class says.
	IdleTimeout time.Duration
}

// Kept is what a copy keeps of its target.
type Kept struct {
	Labels, Annotations, Liveness, Readiness, Startup, InitContainers bool
}

func (o *Options) copies() bool { return o.Copy || o.CopyTo != "" }

// NeedsContainers is the pod whose containers must be known to tell what -c means; empty if it means the same whatever they are.
func (o *Options) NeedsContainers() string {
	if !o.copies() || o.Container == "" || o.Image == "" || strings.Contains(strings.TrimPrefix(o.Target, "pod/"), "/") {
		return ""
	}
	return strings.TrimPrefix(o.Target, "pod/")
}
