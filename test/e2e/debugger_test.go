package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a debugger that meets what real pods have", func() {
	It("is told of by its session as it was", func() {
		n := newNamespace()
		n.pod("web")
		n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: limited}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: busybox:1.36
    command: [sleep, "3600"]
    resources: {limits: {memory: 48Mi}}
    securityContext: {runAsUser: 1000, runAsGroup: 1000}
---
apiVersion: v1
kind: Pod
metadata: {name: short}
spec:
  activeDeadlineSeconds: 30
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "busybox:1.36", command: [sleep, "3600"]}]
`)
		n.ready("limited", "short")
		n.session("short", "  target: {podName: short}\n  debugger: {image: \"busybox:1.36\", command: [sh], stdin: true}\n  ttl: 10m")
		n.session("short-copy",
			"  target: {podName: short}\n  mode: PodCopy\n  debugger: {image: \"busybox:1.36\", command: [sh], stdin: true}\n  ttl: 10m")
		n.session("processes", "  target: {podName: web}\n  debugger: {image: \"busybox:1.36\", command: [ps]}")
		n.session("colours", `  target: {podName: web}
  debugger: {image: "busybox:1.36", command: [printf, '\033[31mred\033[0m\200\n\342\200\256evil']}`)
		n.session("no-input", "  target: {podName: web}\n  debugger: {image: \"busybox:1.36\"}")
		n.session("no-input-copy", "  target: {podName: web}\n  mode: PodCopy\n  debugger: {image: \"busybox:1.36\", command: [sh]}")
		n.session("other-user",
			"  target: {podName: limited}\n  profile: restricted\n  debugger: {image: \"busybox:1.36\", command: [sh], stdin: "+
				"true, securityContext: {runAsUser: 65534}}\n  className: e2e-everything")
		n.session("memory", "  target: {podName: limited}\n  debugger: {image: \"busybox:1.36\", command: [sh, -c, \"tail /dev/zero\"]}")
		n.session("memory-copy",
			"  target: {podName: web}\n  mode: PodCopy\n  debugger: {image: \"busybox:1.36\", command: [sh, -c, \"tail /dev/zero; "+
				"exit $?\"], resources: {limits: {memory: 24Mi}}}")

		blind := condition(n.reaches("other-user", v1alpha1.PhaseActive), v1alpha1.ConditionDebuggerReady)
		Expect(blind.Message).To(ContainSubstring("debugger.runAs: FromTarget"))
		Eventually(n.eventMessages("other-user", v1alpha1.ReasonOtherUser)).Should(ContainSubstring("user 65534"))

		for name, limit := range map[string]string{
			"memory":      "the sum of its containers' limits of 48Mi",
			"memory-copy": "its limit of 24Mi",
		} {
			session := n.ends(name, v1alpha1.OutcomeFailed)
			Expect(session.Status.Reason).To(Equal("OOMKilled"))
			Expect(session.Status.Message()).To(And(ContainSubstring("OOMKilled"), ContainSubstring(limit)))
		}

		output := n.ends("processes", v1alpha1.OutcomeCompleted).Status.Debugger.Output
		Expect(output).To(And(MatchRegexp(`(?m)^ +1 .*/server$`), MatchRegexp(`(?m) ps$`), Not(ContainSubstring("scan()"))))
		Expect(len(output)).To(BeNumerically("<", 600))
		Expect(n.ends("colours", v1alpha1.OutcomeCompleted).Status.Debugger.Output).To(Equal("\u241b[31mred\u241b[0m\ufffd\n\ufffdevil"))
		for _, name := range []string{"no-input", "no-input-copy"} {
			Expect(n.ends(name, v1alpha1.OutcomeCompleted).Status.Message()).To(ContainSubstring("set debugger.stdin: true"))
		}

		for _, name := range []string{"short", "short-copy"} {
			session := n.get(name)
			Expect(session.Status.ExpiresAt.Sub(session.Status.StartedAt.Time)).To(BeNumerically("<=", 30*time.Second))
			Expect(condition(session, v1alpha1.ConditionAdmissible).Message).To(MatchRegexp("activeDeadlineSeconds .*pod \"short\""))
			Eventually(func() v1alpha1.Phase { return n.get(name).Status.Phase }, "60s").Should(Equal(v1alpha1.PhaseEnded))
			session = n.get(name)
			Expect(session.Status.Outcome).To(BeElementOf(v1alpha1.OutcomeExpired, v1alpha1.OutcomeTargetGone))
			Expect(session.Status.EndedAt.Sub(session.Status.ExpiresAt.Time)).To(BeNumerically("~", 0, 10*time.Second))
		}
	})
})
