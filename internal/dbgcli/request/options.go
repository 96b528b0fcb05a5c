// Package request turns what was typed into the DebugSession that it asks for. It is pure: it reads no files, and asks no
// server.
package request

import (
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

	// Copy asks for a copy under a name that is chosen for it.
	Copy bool

	Class    string
	Reason   string
	TTL      time.Duration
	NotAfter *time.Time
}

// Kept is what a copy keeps of its target.
type Kept struct {
	Labels, Annotations, Liveness, Readiness, Startup, InitContainers bool
}

func (o *Options) copies() bool { return o.Copy || o.CopyTo != "" }
