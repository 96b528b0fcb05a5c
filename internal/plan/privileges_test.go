package plan_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// strict is a class that forbids raising privileges.
func strict(c *v1alpha1.DebugClassSpec) { c.AllowSecurityContext = false }

// blind is one that forbids reading what the target has, too.
func unseeing(c *v1alpha1.DebugClassSpec) { c.AllowVolumes = false }

func takingOver(container string, profile v1alpha1.Profile) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) {
		fixture.AsCopy()(s)
		s.Spec.Profile = profile
		s.Spec.Debugger = v1alpha1.Debugger{Container: container, Command: []string{"sh"}, Stdin: true}
	}
}

func changed(name string, change v1alpha1.ContainerChange) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) {
		change.Name = name
		fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Containers = []v1alpha1.ContainerChange{change} })(s)
		s.Spec.Debugger = v1alpha1.Debugger{}
	}
}

func with(container int, sc *corev1.SecurityContext) fixture.PodOption {
	return func(p *corev1.Pod) { p.Spec.Containers[container].SecurityContext = sc }
}

// first is the plan of a session of that class that is looked at for the first time.
func first(t *testing.T, class *v1alpha1.DebugClass, session *v1alpha1.DebugSession, pod *corev1.Pod) plan.Plan {
	t.Helper()
	session.Finalizers = []string{v1alpha1.Finalizer}
	v := about(session, target(pod))
	v.class = new(plan.Found(class))
	return pass(t, v)
}

func TestAContainersPrivilegesAreItsDebuggers(t *testing.T) {
	raised := map[string]*corev1.SecurityContext{
		"privileged: true":                {Privileged: new(true)},
		"capabilities.add: SYS_ADMIN":     {Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"CHOWN", "SYS_ADMIN"}}},
		"capabilities.add: CAP_SYS_ADMIN": {Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"CAP_SYS_ADMIN"}}},
		"capabilities.add: ALL":           {Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"ALL"}}},
		"allowPrivilegeEscalation: true":  {AllowPrivilegeEscalation: new(true)},
		"runAsUser: 0":                    {RunAsUser: new(int64(0))},
		"procMount":                       {ProcMount: new(corev1.UnmaskedProcMount)},
		"seccompProfile: Unconfined":      {SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}},
		"appArmorProfile: Unconfined":     {AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}},
		"seLinuxOptions":                  {SELinuxOptions: &corev1.SELinuxOptions{Type: "spc_t"}},
		"windowsOptions":                  {WindowsOptions: &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}},
	}
	for says, sc := range raised {
		for name, session := range map[string]fixture.SessionOption{
			"that becomes the debugger":           takingOver("app", v1alpha1.ProfileGeneral),
			"that becomes the debugger, netadmin": takingOver("app", v1alpha1.ProfileNetadmin),
			"that becomes the debugger, legacy":   takingOver("app", v1alpha1.ProfileLegacy),
			"with another command":                changed("app", v1alpha1.ContainerChange{Command: []string{"sh"}}),
			"with another image":                  changed("app", v1alpha1.ContainerChange{Image: "app:debug"}),
			"of all with another image":           changed("*", v1alpha1.ContainerChange{Image: "app:debug"}),
			"with other arguments":                changed("app", v1alpha1.ContainerChange{Args: []string{"-c", "id"}}),
			"with another environment": changed("app",
				v1alpha1.ContainerChange{Env: []corev1.EnvVar{{Name: "LD_PRELOAD", Value: "/x.so"}}}),
		} {
			t.Run(says+" of one "+name, func(t *testing.T) {
				p := first(t, fixture.Class(strict), fixture.Session(session), fixture.Pod(with(0, sc)))
				if p.Status.Outcome != v1alpha1.OutcomeRejected || p.Status.Reason != v1alpha1.ReasonClassForbids ||
					!strings.Contains(message(p), "securityContext."+says) {
					t.Errorf("%s %s: %s", p.Status.Outcome, p.Status.Reason, message(p))
				}
				if p := first(t, fixture.Class(), fixture.Session(session),
					fixture.Pod(with(0, sc))); p.Status.Phase != v1alpha1.PhaseStarting {
					t.Errorf("a class that allows it: %s: %s", p.Status.Outcome, message(p))
				}
			})
		}
		for name, session := range map[string]fixture.SessionOption{
			"begins afresh":                    takingOver("app", v1alpha1.ProfileBaseline),
			"begins afresh, restricted":        takingOver("app", v1alpha1.ProfileRestricted),
			"is another":                       takingOver("proxy", v1alpha1.ProfileGeneral),
			"is added":                         fixture.AsCopy(),
			"is added to a container that has": func(*v1alpha1.DebugSession) {},
			"changes another":                  changed("proxy", v1alpha1.ContainerChange{Command: []string{"sh"}}),
		} {
			if p := first(t, fixture.Class(strict), fixture.Session(session),
				fixture.Pod(with(0, sc))); p.Status.Phase != v1alpha1.PhaseStarting {
				t.Errorf("%s: a debugger that %s: %s: %s", says, name, p.Status.Outcome, message(p))
			}
		}
	}
	t.Run("an ordinary container", func(t *testing.T) {
		ordinary := &corev1.SecurityContext{
			RunAsUser: new(int64(1000)), RunAsGroup: new(int64(0)), RunAsNonRoot: new(false), ReadOnlyRootFilesystem: new(false),
			AllowPrivilegeEscalation: new(false),
			Capabilities:             &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		p := first(t, fixture.Class(strict), fixture.Session(takingOver("app", v1alpha1.ProfileGeneral)), fixture.Pod(with(0, ordinary)))
		want{phase: v1alpha1.PhaseStarting}.check(t, p)
	})
	t.Run("one that may be root in a pod that says it must not", func(t *testing.T) {
		p := first(t, fixture.Class(strict), fixture.Session(takingOver("app", v1alpha1.ProfileGeneral)),
			fixture.Pod(with(0, &corev1.SecurityContext{RunAsNonRoot: new(false)}), func(p *corev1.Pod) {
				p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true)}
			}))
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", says: "runAsNonRoot",
			warns: "Rejected"}.check(t, p)
	})
	t.Run("sysadmin gives the privilege itself", func(t *testing.T) {
		p := first(t, fixture.Class(strict), fixture.Session(takingOver("app", v1alpha1.ProfileSysadmin)),
			fixture.Pod(with(0, &corev1.SecurityContext{Privileged: new(true)})))
		want{phase: v1alpha1.PhaseStarting}.check(t, p)
	})
	t.Run("an init container", func(t *testing.T) {
		p := first(t, fixture.Class(strict), fixture.Session(takingOver("setup", v1alpha1.ProfileGeneral)),
			fixture.Pod(func(p *corev1.Pod) {
				p.Spec.InitContainers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
			}))
		want{
			phase:   v1alpha1.PhaseEnded,
			outcome: v1alpha1.OutcomeRejected,
			reason:  "ClassForbids",
			says:    `container "setup" would have securityContext.privileged`,
			warns:   "Rejected",
		}.check(t, p)
	})
}

func TestRootFromTheTarget(t *testing.T) {
	root := new(int64(0))
	sources := map[string]fixture.PodOption{
		"its container": with(0, &corev1.SecurityContext{RunAsUser: root}),
		"its pod":       func(p *corev1.Pod) { p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: root} },
		"its image, by the node's word": func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{
				{Name: "app", State: fixture.Running(now), User: &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{}}},
			}
		},
	}
	fromTarget := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.RunAs = v1alpha1.RunAsFromTarget }
	for source, pod := range sources {
		for name, mode := range map[string]fixture.SessionOption{
			"an ephemeral container": func(*v1alpha1.DebugSession) {},
			"a copy":                 fixture.AsCopy(),
			"a container of a copy":  takingOver("proxy", v1alpha1.ProfileGeneral),
			"one that begins afresh": takingOver("proxy", v1alpha1.ProfileBaseline),
		} {
			t.Run(source+", "+name, func(t *testing.T) {
				p := first(t, fixture.Class(strict), fixture.Session(mode, fromTarget), fixture.Pod(pod))
				want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", says: "spec.debugger.runAs",
					warns: "Rejected"}.check(t, p)
				p = first(t, fixture.Class(), fixture.Session(mode, fromTarget), fixture.Pod(pod))
				want{phase: v1alpha1.PhaseStarting}.check(t, p)
			})
		}
	}
	t.Run("that the node told of after it was admitted", func(t *testing.T) {
		seen := func(uid int64) fixture.PodOption {
			return func(p *corev1.Pod) {
				p.Status.ContainerStatuses = []corev1.ContainerStatus{
					{Name: "app", State: fixture.Running(now), User: &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: uid}}},
				}
			}
		}
		session := fixture.Session(fromTarget)
		session = written(session, first(t, fixture.Class(strict), session, fixture.Pod(seen(1000))))
		p := pass(t, about(session, target(fixture.Pod(seen(0)))))
		want{
			phase:   v1alpha1.PhaseEnding,
			outcome: v1alpha1.OutcomeRejected,
			reason:  "ClassForbids",
			says:    "spec.debugger.runAs",
		}.check(t, p)
	})
}

// Where volumes are not allowed, no container that has some may run what a session says.
func TestAChangedContainersVolumes(t *testing.T) {
	sh := v1alpha1.ContainerChange{Command: []string{"sh"}}
	has := map[string]func(*corev1.Container){
		"volume data": func(c *corev1.Container) { c.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}} },
		"volume block": func(c *corev1.Container) {
			c.VolumeDevices = []corev1.VolumeDevice{{Name: "block", DevicePath: "/dev/x"}}
		},
		"environment variables": func(c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "keys"}}},
			}
		},
		"variable KEY": func(c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}}
		},
	}
	for says, change := range has {
		pod := fixture.Pod(func(p *corev1.Pod) { change(&p.Spec.Containers[0]) })
		p := first(t, fixture.Class(unseeing), fixture.Session(changed("app", sh)), pod)
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", says: says,
			warns: "Rejected"}.check(t, p)
		p = first(t, fixture.Class(unseeing), fixture.Session(changed("proxy", sh)), pod)
		want{phase: v1alpha1.PhaseStarting}.check(t, p)
		more := v1alpha1.ContainerChange{Resources: &corev1.ResourceRequirements{}}
		p = first(t, fixture.Class(unseeing), fixture.Session(changed("app", more)), pod)
		want{phase: v1alpha1.PhaseStarting}.check(t, p)
	}
}

func TestTheImageOfAContainerThatBecomesTheDebugger(t *testing.T) {
	only := func(images ...string) *v1alpha1.DebugClass {
		return fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Images = images })
	}
	session := fixture.Session(takingOver("app", v1alpha1.ProfileGeneral))
	p := first(t, only("tools"), session, fixture.Pod())
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", says: `the image of container "app"`,
		warns: "Rejected"}.check(t, p)
	p = first(t, only("app"), session, fixture.Pod())
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	if got := p.Status.Class.Image; got != "docker.io/library/app:1" {
		t.Errorf("granted image %q", got)
	}
	other := fixture.Session(takingOver("app", v1alpha1.ProfileGeneral), func(s *v1alpha1.DebugSession) {
		s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "tools:1"}}
	})
	p = first(t, only("tools"), other, fixture.Pod())
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
}

func message(p plan.Plan) string {
	for _, c := range p.Status.Conditions {
		if c.Type == v1alpha1.ConditionEnded {
			return c.Message
		}
	}
	return ""
}
