package e2e

import (
	"fmt"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"

	"debugsession.dev/operator/api/v1alpha1"
)

const productionClass = `
  modes: [EphemeralContainer, PodCopy]
  profiles: [general, sysadmin]
  images: [busybox]
  maxTTL: 1h
  reason: {required: true, pattern: "^INC-[0-9]+"}
  approval: {required: 1, timeout: 5m}
`

// production is a namespace with a pod, a class that needs approval, alice who may use it and bob who may approve.
func production(spec string) (n namespace, class string, alice, bob person) {
	GinkgoHelper()
	n = newNamespace()
	n.pod("web")
	class = n.class(spec)
	for _, who := range []string{"--user=alice", "--user=bob"} {
		n.edits(who)
	}
	n.may("use", class, "--user=alice")
	n.may("approve", class, "--user=bob")
	return n, class, user("alice"), user("bob")
}

func request(name, class string) string {
	return sessionManifest(name, "\n  className: "+class+"\n  reason: INC-7 it hangs"+shell)
}

// counted is whether an approval counts, and why.
func (n namespace) counted(name string) func() string {
	return func() string {
		out, _ := tryKubectl("-n", string(n), "get", "dbgapproval", name, "-o",
			`jsonpath={.status.conditions[?(@.type=="Counted")].status} {.status.conditions[?(@.type=="Counted")].reason}`)
		return out
	}
}

var _ = Describe("an approval", func() {
	It("lets a session start, shows before what would be made, and revokes when it is taken back", func() {
		n, class, alice, bob := production(productionClass)
		alice.apply(n, request("hang", class))
		waiting := n.reaches("hang", v1alpha1.PhaseAwaitingApproval)
		Expect(string(waiting.Status.Request.Preview.Raw)).
			To(And(ContainSubstring("docker.io/library/busybox:1.36"), ContainSubstring("SYS_PTRACE")))
		Expect(bob.must(n, "get", "dbg", "hang")).To(ContainSubstring("1 approval from someone allowed to approve class " + class))
		Eventually(n.eventMessages("hang", v1alpha1.ReasonAwaitingApproval)).Should(ContainSubstring(class))
		Eventually(n.scraper()).
			Should(MatchRegexp(`(?m)^debugsession_sessions\{mode="EphemeralContainer",phase="AwaitingApproval"\} [1-9]`))
		Expect(n.getPod("web").Spec.EphemeralContainers).To(BeEmpty(), "nothing is made before it is approved")

		Expect(alice.refused(n, approvalManifest("mine", "hang", "Approve", ""))).To(And(
			ContainSubstring(`"alice" may not approve class`), ContainSubstring("kubectl auth can-i approve")))
		bob.apply(n, approvalManifest("bob", "hang", "Approve", ""))
		active := n.reaches("hang", v1alpha1.PhaseActive)
		Expect(active.Status.Approvals).To(HaveLen(1))
		Expect(active.Status.Approvals[0].By).To(Equal("bob"))
		Eventually(n.counted("bob")).Should(Equal("True Counted"))

		attached := attachAs(alice, n, active)
		bob.must(n, "delete", "dbgapproval", "bob")
		ended := n.ends("hang", v1alpha1.OutcomeRevoked)
		Expect(ended.Status.Approvals).To(HaveLen(1), "who had approved stays on the record")
		Eventually(attached).Should(gexec.Exit(), "the open attach ends with the session")
		Expect(n.debuggerState(active).Terminated).NotTo(BeNil())
	})

	It("comes after the start of an emergency, which is announced, and acknowledges it", func() {
		n, class, alice, bob := production(strings.Replace(productionClass, "timeout: 5m", "emergency: {reviewWithin: 1h, maxTTL: 10m}", 1))
		down := []string{"web", "--image=busybox:1.36", "--class=" + class, "--name=down", "--emergency", "--reason=INC-7 it is down",
			"--", "echo", "in"}
		_, errs, code := alice.dbg(n, "", down...)
		Expect(code).To(Equal(120), errs)
		Expect(errs).To(ContainSubstring(`"alice" may not declare emergencies`))

		n.may("emergency", class, "--user=alice")
		out, errs, code := alice.dbg(n, "", down...)
		Expect(code).To(BeZero(), errs)
		Expect(out).To(Equal("in\n"))
		Expect(n.ends("down", v1alpha1.OutcomeCompleted).Status.AwaitsReview()).To(BeTrue())
		Eventually(n.eventMessages("down", v1alpha1.ReasonEmergency)).Should(ContainSubstring("INC-7 it is down"))
		_, denied := alice.do(n, "", "delete", "dbg", "down")
		Expect(denied).To(MatchError(ContainSubstring(`cannot delete resource "debugsessions"`)), "who is reviewed")

		out, _, _ = bob.dbg(n, "", "list", "--waiting", "-o", "name")
		Expect(strings.TrimSpace(out)).To(HaveSuffix("down"))
		out, errs, code = bob.dbg(n, "", "approve", "down", "--yes", "-m", "was right")
		Expect(code).To(BeZero(), errs)
		Expect(out).To(ContainSubstring("was acknowledged in review by bob"))
		reviewed := n.get("down").Status
		Expect(reviewed.Review.AfterEnd).To(BeTrue())
		Expect(reviewed.Outcome).To(Equal(v1alpha1.OutcomeCompleted))
	})

	It("cannot be forged, and binds to one session and what it asks for", func() {
		n, class, alice, bob := production(productionClass)
		alice.apply(n, request("hang", class))
		first := n.reaches("hang", v1alpha1.PhaseAwaitingApproval)

		for field, more := range map[string]string{
			"approver":    `, approver: {username: carol}`,
			"sessionUID":  `, sessionUID: 00000000-0000-4000-8000-000000000000`,
			"requestHash": `, requestHash: "sha256:0000"`,
		} {
			Expect(bob.refused(n, approvalManifest("forged", "hang", "Approve", more))).To(ContainSubstring(field))
		}
		_, denied := alice.do(n, "", "delete", "dbg", "hang")
		Expect(denied).To(MatchError(ContainSubstring(`cannot delete resource "debugsessions"`)), "who may edit may not delete the record")
		n.kubectl("delete", "dbg", "hang", "--timeout=30s")
		alice.apply(n, request("hang", class))
		second := n.reaches("hang", v1alpha1.PhaseAwaitingApproval)
		Expect(second.UID).NotTo(Equal(first.UID))
		Expect(bob.refused(n, approvalManifest("old", "hang", "Approve", fmt.Sprintf(`, sessionUID: %s`, first.UID)))).
			To(ContainSubstring("sessionUID"))

		bob.apply(n, approvalManifest("exact", "hang", "Approve", fmt.Sprintf(`, requestHash: %q`, second.Status.Request.Hash)))
		n.reaches("hang", v1alpha1.PhaseActive)
		_, err := bob.do(n, "", "patch", "dbgapproval", "exact", "--type=merge", "-p", `{"spec":{"reason":"changed my mind"}}`)
		Expect(err).To(MatchError(ContainSubstring("an approval is immutable")))
	})

	It("that comes before its session is accepted, counts for nothing, and says so", func() {
		n, class, alice, bob := production(productionClass)
		early := approvalManifest("early", "hang", "Approve", "")
		_, err := bob.do(n, early, "apply", "--server-side", "--dry-run=server", "-f", "-")
		Expect(err).NotTo(HaveOccurred(), "a tool that dry-runs everything first is not blocked")
		bob.apply(n, early)
		alice.apply(n, request("hang", class))
		n.reaches("hang", v1alpha1.PhaseAwaitingApproval)
		Eventually(n.counted("early")).Should(Equal("False Unbound"))
		bob.apply(n, early) // again, as such tools do
		Consistently(func() v1alpha1.Phase { return n.get("hang").Status.Phase }, "2s").Should(Equal(v1alpha1.PhaseAwaitingApproval))

		bob.apply(n, approvalManifest("denial", "hang", "Deny", ""))
		denied := n.ends("hang", v1alpha1.OutcomeDenied)
		Expect(denied.Status.Message()).To(ContainSubstring("bob"))
	})

	It("is not asked for what the API server would refuse", func() {
		n, class, alice, _ := production(productionClass)
		kubectl("label", "namespace", string(n), "pod-security.kubernetes.io/enforce=baseline")
		alice.apply(n, sessionManifest("hang", "\n  className: "+class+"\n  reason: INC-7\n  profile: sysadmin"+shell))
		rejected := n.ends("hang", v1alpha1.OutcomeRejected)
		Expect(rejected.Status.Message()).To(ContainSubstring("violates PodSecurity"))
		Expect(rejected.Status.Request).To(BeNil())
	})

	It("is the merge, for a GitOps controller that the class exempts, and applying again changes nothing", func() {
		n := newNamespace()
		n.pod("web")
		gitops := n.serviceAccount("gitops")
		class := n.class(productionClass[:strings.LastIndex(productionClass, "  approval:")] + fmt.Sprintf(`
  approval:
    required: 1
    exempt: [{kind: ServiceAccount, namespace: %s, name: gitops}]
  access:
    subjects: [{kind: User, name: alice}]
`, n))
		account := fmt.Sprintf("--serviceaccount=%s:gitops", n)
		n.edits(account)
		n.may("use", class, account)
		manifest := sessionManifest("hang",
			"\n  className: "+class+"\n  reason: INC-7\n  ttl: 1h\n  access: {subjects: [{kind: User, name: alice}]}"+shell)
		apply := func() {
			_, err := gitops.do(n, manifest, "apply", "--server-side", "--field-manager=gitops", "-f", "-")
			Expect(err).NotTo(HaveOccurred())
		}
		apply()
		active := n.reaches("hang", v1alpha1.PhaseActive)
		Expect(active.Status.Approvals).To(BeEmpty())
		Expect(active.Spec.Requester.Username).To(Equal(fmt.Sprintf("system:serviceaccount:%s:gitops", n)))
		attachAs(user("alice"), n, active) // alice is named, and gets in
		gitops.must(n, "patch", "dbg", "hang", "--type=merge", "-p", `{"spec":{"end":true}}`)
		n.ends("hang", v1alpha1.OutcomeTerminated)
		Eventually(func() []string { return n.get("hang").Finalizers }).Should(BeEmpty())
		ended := n.get("hang")
		apply()
		Consistently(func() string { return n.get("hang").ResourceVersion }, "2s").Should(Equal(ended.ResourceVersion))
	})
})

// attachAs keeps an attach to a session's debugger open, once it answers.
func attachAs(who person, n namespace, session *v1alpha1.DebugSession) *gexec.Session {
	GinkgoHelper()
	at := session.Status.Debugger
	command := exec.Command("kubectl", append(who.flags, "-n", string(n), "attach", "-i", at.PodName, "-c", at.ContainerName)...)
	stdin, err := command.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	attached, err := gexec.Start(command, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { attached.Kill().Wait() })
	_, err = stdin.Write([]byte("echo it is $((6*7))\n"))
	Expect(err).NotTo(HaveOccurred())
	Eventually(attached).Should(gbytes.Say("it is 42"))
	return attached
}
