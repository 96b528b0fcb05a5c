package integration

import (
	"errors"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("a class", Ordered, ContinueOnFailure, func() {
	var alice, bob *person
	var namespace, class string
	node := &kubelet{}

	BeforeAll(func() {
		startOperator(node)
		alice, bob = newPerson("alice"), newPerson("bob")
	})
	BeforeEach(func(ctx SpecContext) { namespace, class = cast(ctx) })
	of := func(name, pod string) *v1alpha1.DebugSession {
		session := newSession(namespace, name, pod)
		session.Spec.ClassName = class
		return session
	}

	It("is for the pods that its podSelector selects, when the session starts", func(ctx SpecContext) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"debug": "yes"}}
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1}
		})
		runningPod(ctx, namespace, "other")
		other := of("other", "other")
		Expect(alice.Create(ctx, other)).To(Succeed())
		endsAs(ctx, other, v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids)

		web := runningPod(ctx, namespace, "web", func(p *corev1.Pod) { p.Labels = map[string]string{"debug": "yes"} })
		session := of("hang", "web")
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Expect(k8s.Patch(ctx, web.DeepCopy(), mergePatch(`{"metadata":{"labels":{"debug":null}}}`))).To(Succeed())
		_ = bob.Create(ctx, newApproval(namespace, "yes", "hang")) // perhaps it has ended by then
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids)
		refreshed(ctx, Default, web)
		Expect(web.Spec.EphemeralContainers).To(BeEmpty())
	})

	It("has nodes debugged in its nodeNamespace alone", func(ctx SpecContext) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Modes, c.Spec.NodeNamespace = []v1alpha1.Mode{v1alpha1.ModeNode}, "elsewhere"
		})
		session := of("node", "")
		session.Spec.Mode, session.Spec.Target = v1alpha1.ModeNode, v1alpha1.Target{NodeName: "node-1"}
		Eventually(func() string {
			return refusal(alice.Create(ctx, session))
		}).Should(ContainSubstring(`nodes may be debugged only in namespace "elsewhere"`))
	})

	DescribeTable("that does not allow volumes lets nobody read by env what they perhaps may not", func(ctx SpecContext,
		source corev1.EnvVarSource) {
		newClass(ctx, class)
		env := []corev1.EnvVar{{Name: "STOLEN", ValueFrom: &source}}
		own := of("own", "web")
		own.Spec.Debugger.Env = env
		Eventually(func() string {
			return refusal(alice.Create(ctx, own))
		}).Should(ContainSubstring("env STOLEN: reading ConfigMaps, Secrets and files is not allowed"))
		copied := of("copied", "web")
		copied.Spec.Mode, copied.Spec.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{
			Containers: []v1alpha1.ContainerChange{{Name: "app", Env: env}},
		}
		Expect(refusal(alice.Create(ctx, copied))).To(ContainSubstring("env STOLEN: reading"))
	},
		Entry("of a Secret", corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"},
		}),
		Entry("of a ConfigMap", corev1.EnvVarSource{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"},
		}),
	)

	DescribeTable("lets nobody have what it does not allow", func(ctx SpecContext, change func(*v1alpha1.DebugSessionSpec), says string) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy}
			c.Spec.Profiles = []v1alpha1.Profile{v1alpha1.ProfileGeneral, v1alpha1.ProfileRestricted}
			c.Spec.Images = []string{"busybox:1.*", "registry.example/debug/**"}
			c.Spec.Reason = &v1alpha1.ReasonPolicy{Required: true, Pattern: "^INC-[0-9]+"}
			c.Spec.Access = &v1alpha1.AccessPolicy{Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "sre"}}}
		})
		session := of("hang", "web")
		session.Spec.Mode, session.Spec.PodCopy, session.Spec.Reason = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{}, "INC-7"
		Eventually(func() error { return alice.Create(ctx, session.DeepCopy(), client.DryRunAll) }).Should(Succeed(),
			"nothing else is wrong with it")
		change(&session.Spec)
		Expect(refusal(alice.Create(ctx, session, client.DryRunAll))).To(ContainSubstring(says))
	},
		Entry("of modes", func(s *v1alpha1.DebugSessionSpec) { s.Mode, s.PodCopy = v1alpha1.ModeEphemeralContainer, nil },
			"spec.mode: EphemeralContainer is not allowed; allowed: PodCopy"),
		Entry("of profiles", func(s *v1alpha1.DebugSessionSpec) { s.Profile = v1alpha1.ProfileSysadmin },
			"spec.profile: sysadmin is not allowed; allowed: general, restricted"),
		Entry("of images", func(s *v1alpha1.DebugSessionSpec) { s.Debugger.Image = "docker.io/library/busybox:2" },
			`spec.debugger.image: "docker.io/library/busybox:2" is not allowed`),
		Entry("of Secrets to pull images with", func(s *v1alpha1.DebugSessionSpec) {
			s.ImagePullSecrets = []v1alpha1.ImagePullSecret{{Name: "tools"}}
		}, `spec.imagePullSecrets[0].name: "tools" is not allowed, as the class lists none`),
		Entry("of images for a changed container", func(s *v1alpha1.DebugSessionSpec) {
			s.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "registry.example/other"}}
		}, `spec.podCopy.containers[0].image: "registry.example/other" is not allowed`),
		Entry("of images for all containers of a copy that has no debugger", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger, s.PodCopy.Containers = v1alpha1.Debugger{}, []v1alpha1.ContainerChange{{Name: "*", Image: "busybox"}}
		}, `spec.podCopy.containers[0].image: "busybox" is not allowed`),
		Entry("of privileges", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
		}, "spec.debugger.securityContext.privileged: exceeds the profile"),
		Entry("of volumes", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
		}, "spec.debugger.volumeMounts: mounting the target's volumes is not allowed"),
		Entry("of the target's environment", func(s *v1alpha1.DebugSessionSpec) { s.Debugger.EnvFromTarget = true },
			"spec.debugger.envFromTarget: having the target's environment is not allowed"),
		Entry("of the volumes of a container", func(s *v1alpha1.DebugSessionSpec) { s.Debugger.MountsFrom = "app" },
			"spec.debugger.mountsFrom: mounting the target's volumes is not allowed"),
		Entry("of Secrets", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger.EnvFrom = []corev1.EnvFromSource{
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}},
			}
		}, "spec.debugger.envFrom: reading ConfigMaps and Secrets is not allowed"),
		Entry("of the place of the target", func(s *v1alpha1.DebugSessionSpec) { s.PodCopy.ReplaceOriginal = v1alpha1.ReplaceAlways },
			"spec.podCopy.replaceOriginal: deleting the target is not allowed"),
		Entry("of time", func(s *v1alpha1.DebugSessionSpec) { s.TTL = &metav1.Duration{Duration: 61 * time.Minute} },
			"spec.ttl: 1h1m exceeds the class's maxTTL of 1h"),
		Entry("without a reason", func(s *v1alpha1.DebugSessionSpec) { s.Reason = "" }, "spec.reason: "),
		Entry("for another reason", func(s *v1alpha1.DebugSessionSpec) { s.Reason = "just looking" }, `it must match "^INC-[0-9]+"`),
		Entry("for others", func(s *v1alpha1.DebugSessionSpec) {
			s.Access = &v1alpha1.Access{
				Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectGroup, Name: "sre"}, {Kind: v1alpha1.SubjectUser, Name: "mallory"}},
			}
		}, `spec.access.subjects[1]: User "mallory" may not be granted access`),
	)

	It("gives what a session does not say, and what access it gives is for one pod", func(ctx SpecContext) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Profiles = []v1alpha1.Profile{v1alpha1.ProfileGeneral, v1alpha1.ProfileRestricted}
			c.Spec.Images = []string{"registry.example/tools"}
			c.Spec.Defaults = &v1alpha1.ClassDefaults{Image: "registry.example/tools", Profile: v1alpha1.ProfileRestricted,
				TTL: &metav1.Duration{Duration: 7 * time.Minute}}
			c.Spec.Access = &v1alpha1.AccessPolicy{
				Verbs:    []v1alpha1.AccessVerb{v1alpha1.AccessExec},
				Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: "carol"}},
			}
		})
		pod := runningPod(ctx, namespace, "web")
		session := of("hang", "web")
		session.Spec.Debugger, session.Spec.Profile, session.Spec.TTL = v1alpha1.Debugger{}, "", nil
		session.Spec.Access = &v1alpha1.Access{Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: "carol"}}}
		Eventually(func() error { return alice.Create(ctx, session.DeepCopy(), client.DryRunAll) }).Should(Succeed())
		activeOf(ctx, alice, node, session, pod)
		refreshed(ctx, Default, pod)
		debugger := pod.Spec.EphemeralContainers[0]
		Expect(debugger.Image).To(Equal("registry.example/tools:latest"))
		Expect(*debugger.SecurityContext.RunAsNonRoot).To(BeTrue())
		Expect(session.Status.ExpiresAt.Sub(session.Status.StartedAt.Time)).To(Equal(7 * time.Minute))

		may := func(user, resource, verb, pod string) bool {
			return allowed(ctx, user, namespace, "", resource, verb, pod)
		}
		Eventually(func() bool { return may("carol", "pods/exec", "create", "web") }).Should(BeTrue())
		Expect(may("carol", "pods", "get", "web")).To(BeTrue(), "as kubectl needs it")
		for _, none := range [][3]string{
			{"pods/attach", "create", "web"}, {"pods/log", "get", "web"}, {"pods/portforward", "create", "web"},
			{"pods/exec", "create", "neighbour"}, {"pods/exec", "create", ""}, {"pods", "list", ""}, {"pods", "delete", "web"},
			{"pods/ephemeralcontainers", "patch", "web"},
		} {
			Expect(may("carol", none[0], none[1], none[2])).To(BeFalse(), "%v", none)
		}
		Expect(may("alice", "pods/exec", "create", "web")).To(BeFalse(), "the session names carol")

		node.answers(errors.New("the node does not answer"))
		DeferCleanup(func() { node.answers(nil) })
		edit(ctx, session, fixture.End)
		reaches(ctx, session, v1alpha1.PhaseEnding)
		Eventually(func() bool { return may("carol", "pods/exec", "create", "web") }).Should(BeFalse(), "before the debugger has ended")
		refreshed(ctx, Default, session)
		Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnding))
	})

	DescribeTable("gives the access that it names, and no other", func(ctx SpecContext, verb v1alpha1.AccessVerb) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Access = &v1alpha1.AccessPolicy{Verbs: []v1alpha1.AccessVerb{verb}}
		})
		pod := runningPod(ctx, namespace, "web")
		session := of("hang", "web")
		Eventually(func() error { return alice.Create(ctx, session.DeepCopy(), client.DryRunAll) }).Should(Succeed())
		activeOf(ctx, alice, node, session, pod)
		given := func(g Gomega) (verbs []v1alpha1.AccessVerb) {
			for verb, right := range map[v1alpha1.AccessVerb][2]string{
				v1alpha1.AccessAttach: {"pods/attach", "create"}, v1alpha1.AccessExec: {"pods/exec", "create"},
				v1alpha1.AccessLogs: {"pods/log", "get"}, v1alpha1.AccessPortForward: {"pods/portforward", "create"},
			} {
				if allowed(ctx, "alice", namespace, "", right[0], right[1], "web") {
					verbs = append(verbs, verb)
				}
			}
			return verbs
		}
		Eventually(given).Should(ConsistOf(verb))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		Eventually(given).Should(BeEmpty())
	},
		Entry(nil, v1alpha1.AccessAttach), Entry(nil, v1alpha1.AccessExec), Entry(nil, v1alpha1.AccessLogs),
		Entry(nil, v1alpha1.AccessPortForward),
	)

	It("that is replaced by a wider one between approval and start widens nothing", func(ctx SpecContext) {
		there := newClass(ctx, class, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		session := of("hang", "web")
		session.Spec.TTL = nil
		runningPod(ctx, namespace, "web")
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		granted := session.Status.Class.DeepCopy()

		Expect(k8s.Delete(ctx, there)).To(Succeed())
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.MaxTTL = metav1.Duration{Duration: 24 * time.Hour}
			c.Spec.Defaults = &v1alpha1.ClassDefaults{TTL: &metav1.Duration{Duration: 12 * time.Hour}}
			c.Spec.Profiles = append(c.Spec.Profiles, v1alpha1.ProfileSysadmin)
			c.Spec.Access = &v1alpha1.AccessPolicy{
				Verbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessLogs, v1alpha1.AccessExec, v1alpha1.AccessPortForward},
			}
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1}
		})
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		Expect(session.Status.Class).To(Equal(granted))
		Expect(session.Status.HardDeadline.Sub(session.Status.StartedAt.Time)).To(Equal(time.Hour))
	})

	It("is shown in words, and so is what it grants", func(ctx SpecContext) {
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Images = []string{"busybox:1.*", "registry.example/debug/**"}
			c.Spec.Profiles = append(c.Spec.Profiles, v1alpha1.ProfileRestricted)
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1}
			c.Spec.Retention = &metav1.Duration{Duration: 48 * time.Hour}
			c.Spec.MaxTTL = metav1.Duration{Duration: 90 * time.Minute} // a client of Go writes 1h30m0s
		})
		runningPod(ctx, namespace, "web")
		session := of("hang", "web")
		session.Spec.TTL = nil
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		Eventually(func(g Gomega) {
			out, _, err := kubectl(alice, "", "get", "debugclass", class, "-o", "wide")
			g.Expect(err).NotTo(HaveOccurred())
			lines := strings.Split(strings.TrimSpace(out), "\n")
			g.Expect(lines).To(HaveLen(2))
			g.Expect(strings.Fields(lines[0])).
				To(Equal([]string{"NAME", "MODES", "APPROVALS", "MAX-TTL", "SESSIONS", "AGE", "PROFILES", "IMAGES"}))
			g.Expect(regexp.MustCompile(` {2,}`).Split(lines[1], -1)).To(HaveExactElements(
				class, "EphemeralContainer, PodCopy", "1", "1h30m", "1", MatchRegexp("^[0-9]+s$"), "general, restricted",
				"busybox:1.*, registry.example/debug/**"))
		}).Should(Succeed())
		Expect(bob.Create(ctx, newApproval(namespace, "yes", "hang"))).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseStarting)
		for _, what := range []string{"debugclass/" + class, "dbg/hang", "debugapproval/yes"} {
			out, _, err := kubectl(alice, "", "describe", what, "-n", namespace)
			Expect(err).NotTo(HaveOccurred())
			_, out, _ = strings.Cut(out, "Status:")
			Expect(out).NotTo(MatchRegexp(`[0-9]m0s|[0-9]h0m`), what)
		}
		out, _, err := kubectl(alice, "", "get", "debugapproval", "yes", "-n", namespace, "-o", "jsonpath={.spec.ttl}")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal("30m"), "what was filled in")
	})

	It("says how many use it, and not where", func(ctx SpecContext) {
		there := newClass(ctx, class)
		session := of("hang", "nobody")
		Expect(alice.Create(ctx, session)).To(Succeed())
		tells := func(sessions int32) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				refreshed(ctx, g, there)
				g.Expect(there.Status.Sessions).To(Equal(sessions))
				g.Expect(meta.IsStatusConditionTrue(there.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
			}).Should(Succeed())
		}
		tells(1)
		Expect(alice.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
		tells(0)
	})
})

// The hash of what is asked leaves the ttl out: an approver who wants to be sure pins both.
var _ = Describe("an approver", Ordered, func() {
	BeforeAll(func() { startOperator(&kubelet{}) })

	It("who pins hash and ttl does not approve what was raised since", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1} })
		runningPod(ctx, namespace, "web")
		session := newSession(namespace, "hang", "web")
		session.Spec.ClassName, session.Spec.TTL = class.Name, &metav1.Duration{Duration: time.Minute}
		Expect(k8s.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		reviewed := newApproval(namespace, "yes", "hang")
		reviewed.Spec.RequestHash, reviewed.Spec.TTL = session.Status.Request.Hash, session.Spec.TTL
		Expect(k8s.Patch(ctx, session.DeepCopy(), mergePatch(`{"spec":{"ttl":"50m"}}`))).To(Succeed())
		Expect(refusal(k8s.Create(ctx, reviewed))).
			To(HavePrefix("spec.ttl: does not match session \"hang\": you approve 1m, but it is now 50m"))
	})
})
