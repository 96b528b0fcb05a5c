package policy_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/policy"
)

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func TestCheck(t *testing.T) {
	type (
		spec  = v1alpha1.DebugSessionSpec
		class = v1alpha1.DebugClassSpec
	)
	copyOf := func(change func(*v1alpha1.PodCopy)) func(*spec) {
		return func(s *spec) { s.Mode, s.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{}; change(s.PodCopy) }
	}
	armedFor := func(long time.Duration) func(*spec) {
		return func(s *spec) {
			s.Target.When, s.NotAfter = &v1alpha1.When{Crashed: true}, &metav1.Time{Time: fixture.Created.Add(long)}
		}
	}
	tools := func(c *class) { c.Images = []string{"tools:*"} }
	for name, tc := range map[string]struct {
		class   func(*class)
		session func(*spec)
		says    string // empty: it is allowed
	}{
		"nothing asked for": {nil, nil, ""},
		"artifacts": {
			nil,
			func(s *spec) { s.Debugger.Artifacts = []string{"/tmp/a"} },
			"spec.debugger.artifacts: keeping files of the debugger is not allowed; remove it, or ask an administrator to set the class's artifacts",
		},
		"artifacts that may be kept": {
			func(c *class) { c.Artifacts = &v1alpha1.ArtifactPolicy{} },
			func(s *spec) { s.Debugger.Artifacts = []string{"/tmp/a"} },
			"",
		},
		"a mode": {
			func(c *class) { c.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy} },
			nil,
			"spec.mode: EphemeralContainer is not allowed; allowed: PodCopy",
		},
		"a profile": {
			func(c *class) { c.Profiles = []v1alpha1.Profile{v1alpha1.ProfileBaseline} },
			func(s *spec) { s.Profile = v1alpha1.ProfileSysadmin }, "spec.profile: sysadmin is not allowed; allowed: baseline",
		},
		"no image": {nil, func(s *spec) { s.Debugger.Image = "" }, "spec.debugger.image: required"},
		"another image": {
			tools,
			func(s *spec) { s.Debugger.Image = "busybox" },
			`spec.debugger.image: "busybox" is not allowed; allowed: tools:*`,
		},
		"no image's name": {
			tools, func(s *spec) { s.Debugger.Image = "tools:" }, `spec.debugger.image: "tools:" is not a valid image name`,
		},
		"the image of a container that is changed": {tools, func(s *spec) {
			copyOf(func(c *v1alpha1.PodCopy) { c.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "shell:1"}} })(s)
			s.Debugger = v1alpha1.Debugger{}
		}, "spec.podCopy.containers[0].image"},
		"a Secret to pull with": {
			func(c *class) { c.ImagePullSecrets = nil },
			func(s *spec) { s.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "tools"}} },
			`spec.imagePullSecrets[0].name: "tools" is not allowed, as the class lists none; remove it`,
		},
		"another Secret to pull with": {
			func(c *class) { c.ImagePullSecrets = []string{"tools", "shop"} },
			func(s *spec) { s.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "shop"}, {Name: "billing"}} },
			`spec.imagePullSecrets[1].name: "billing" is not allowed; allowed: tools, shop`,
		},
		"a Secret to pull with that is listed": {
			func(c *class) { c.ImagePullSecrets = []string{"tools"} },
			func(s *spec) { s.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "tools"}} }, "",
		},
		"any Secret to pull with": {
			func(c *class) { c.ImagePullSecrets = []string{"*"} },
			func(s *spec) { s.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "tools"}} }, "",
		},
		"privileges": {
			func(c *class) { c.AllowSecurityContext = false },
			func(s *spec) { s.Debugger.SecurityContext = &corev1.SecurityContext{Privileged: new(true)} },
			"spec.debugger.securityContext.privileged: exceeds the profile",
		},
		"fewer capabilities dropped than by the profile": {
			func(c *class) { c.AllowSecurityContext = false },
			func(s *spec) {
				s.Profile = v1alpha1.ProfileRestricted
				s.Debugger.SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"CHOWN"}}}
			},
			"spec.debugger.securityContext.capabilities.drop: exceeds the profile",
		},
		"volumes of a container that becomes the debugger": {func(c *class) { c.AllowVolumes = false }, func(s *spec) {
			copyOf(func(*v1alpha1.PodCopy) {})(s)
			s.Debugger = v1alpha1.Debugger{Container: "app"}
		}, "spec.debugger.container"},
		"volumes that the debugger shares": {
			func(c *class) { c.AllowVolumes = false }, func(s *spec) { s.Debugger.MountsFrom = "app" }, "spec.debugger.mountsFrom",
		},
		"a Secret": {func(c *class) { c.AllowVolumes = false }, func(s *spec) {
			from := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "token"}}
			s.Debugger.Env = []corev1.EnvVar{{Name: "TOKEN", ValueFrom: from}}
		}, "env TOKEN: reading ConfigMaps, Secrets and files is not allowed"},
		"the target's environment": {
			func(c *class) { c.AllowVolumes = false },
			func(s *spec) { s.Debugger.EnvFromTarget = true },
			"spec.debugger.envFromTarget: having the target's environment is not allowed; remove it",
		},
		"the target's environment alone": {
			func(c *class) { c.AllowVolumes, c.AllowTargetEnvironment = false, true },
			func(s *spec) { s.Debugger.EnvFromTarget = true }, "",
		},
		"the target's environment, where all may be read": {nil, func(s *spec) { s.Debugger.EnvFromTarget = true }, ""},
		"another's environment, where the target's may be read": {
			func(c *class) { c.AllowVolumes, c.AllowTargetEnvironment = false, true },
			func(s *spec) { s.Debugger.EnvFrom = []corev1.EnvFromSource{{Prefix: "A_"}} }, "spec.debugger.envFrom: reading",
		},
		"more memory": {
			func(c *class) {
				c.Resources = &v1alpha1.ResourceBounds{Debugger: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}}
			},
			func(s *spec) {
				s.Debugger.Resources = &corev1.ResourceRequirements{
					Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
				}
			},
			"spec.debugger.resources",
		},
		"unstoppable":          {nil, func(s *spec) { s.Debugger.Unstoppable = true }, "spec.debugger.unstoppable"},
		"unstoppable, allowed": {func(c *class) { c.AllowUnstoppable = true }, func(s *spec) { s.Debugger.Unstoppable = true }, ""},
		"deleting the target": {
			func(c *class) { c.AllowReplace = false },
			copyOf(func(c *v1alpha1.PodCopy) { c.ReplaceOriginal = v1alpha1.ReplaceAlways }), "spec.podCopy.replaceOriginal",
		},
		"the longest ttl": {func(c *class) { c.MaxTTL = *duration(time.Hour) }, func(s *spec) { s.TTL = duration(time.Hour) }, ""},
		"a longer ttl": {
			func(c *class) { c.MaxTTL = *duration(time.Hour) }, func(s *spec) { s.TTL = duration(2 * time.Hour) },
			"spec.ttl: 2h exceeds the class's maxTTL of 1h",
		},
		"the longest idleTimeout": {
			func(c *class) { c.MaxIdleTimeout = duration(10 * time.Minute) },
			func(s *spec) { s.IdleTimeout = duration(10 * time.Minute) }, "",
		},
		"a longer idleTimeout": {
			func(c *class) { c.MaxIdleTimeout = duration(10 * time.Minute) }, func(s *spec) { s.IdleTimeout = duration(11 * time.Minute) },
			"spec.idleTimeout: 11m exceeds the class's maxIdleTimeout of 10m",
		},
		"armed for as long as may be, by a clock that is ahead": {
			func(c *class) { c.MaxArmedFor = duration(12 * time.Hour) }, armedFor(12*time.Hour + 30*time.Second), "",
		},
		"armed for longer": {
			func(c *class) { c.MaxArmedFor = duration(12 * time.Hour) }, armedFor(13 * time.Hour),
			"spec.notAfter: 2026-11-25T01:00:00Z is more than 12h after the session's creation, the longest that one may be armed (maxArmedFor); choose 2026-11-25T00:00:00Z at the latest",
		},
		"armed for ten years, where nothing bounds it": {nil, armedFor(87600 * time.Hour), ""},
		"as late an end of one that is not armed": {func(c *class) { c.MaxArmedFor = duration(12 * time.Hour) }, func(s *spec) {
			armedFor(13 * time.Hour)(s)
			s.Target.When = nil
		}, ""},
		"no reason": {
			func(c *class) { c.Reason = &v1alpha1.ReasonPolicy{Required: true, Pattern: "^INC-"} }, func(s *spec) { s.Reason = "" },
			`spec.reason: say why the session is needed; it must match "^INC-"`,
		},
		"another reason": {
			func(c *class) { c.Reason = &v1alpha1.ReasonPolicy{Pattern: "^INC-"} }, func(s *spec) { s.Reason = "because" },
			`spec.reason: "because" does not match; it must match "^INC-"`,
		},
		"an emergency that is none": {nil, func(s *spec) { s.Emergency = true }, ""},
		"an emergency, not allowed": {
			fixture.Approvals(1), func(s *spec) { s.Emergency = true }, "spec.emergency: sessions may not start before approval",
		},
		"access for oneself": {nil, func(s *spec) {
			s.Access = &v1alpha1.Access{Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: s.Requester.Username}}}
		}, ""},
		"access for others": {nil, func(s *spec) {
			s.Access = &v1alpha1.Access{Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "sre"}}}
		}, `spec.access.subjects[0]: Group "sre" may not be granted access`},
	} {
		t.Run(name, func(t *testing.T) {
			class, session := fixture.Class(), fixture.Session()
			if tc.class != nil {
				tc.class(&class.Spec)
			}
			if tc.session != nil {
				tc.session(&session.Spec)
			}
			why := policy.Check(class, session, nil, false)
			if (why != "") != (tc.says != "") || !strings.Contains(why, tc.says) {
				t.Errorf("it says %q, want %q", why, tc.says)
			}
			if why != "" && !strings.HasPrefix(why, `class "`+class.Name+`": `) {
				t.Errorf("the class is not named: %s", why)
			}
		})
	}
}
