package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

// nowhere is a spec whose target is not there, so that its session is Pending.
const nowhere = `
  target: {podName: nowhere}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`

var _ = Describe("the end of a session", func() {
	It("comes on time: the debugger's processes and whoever is attached go, the target serves on", func() {
		n := newNamespace()
		n.pod("web")
		n.session("hang", shell+"  ttl: 15s\n")
		session := n.reaches("hang", v1alpha1.PhaseActive)
		Expect(session.Status.HardDeadline.After(session.Status.ExpiresAt.Time)).To(BeTrue())
		n.exec(session, "sh", "-c", "(sleep 1234 & trap '' TERM HUP; sleep 1235; sleep 1236) >/dev/null 2>&1 &")
		attached := attachTo(session.Status.Attach)

		ended := n.ends("hang", v1alpha1.OutcomeExpired)
		Expect(time.Since(ended.Status.ExpiresAt.Time)).To(BeNumerically("<", 8*time.Second))
		Expect(ended.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByDeadline))
		Expect(n.debuggerState(session).Terminated).NotTo(BeNil())
		Eventually(attached).WithTimeout(5 * time.Second).Should(BeClosed())

		n.session("look", shell)
		processes := n.exec(n.reaches("look", v1alpha1.PhaseActive), "ps")
		Expect(processes).NotTo(ContainSubstring("sleep 123"), "nothing of the first debugger runs")
		target := n.getPod("web").Status.ContainerStatuses[0]
		Expect(target.Ready).To(BeTrue())
		Expect(target.RestartCount).To(BeZero())
	})

	It("moves to another ttl, when the debugger has been told of it", func() {
		n := newNamespace()
		n.pod("web")
		n.session("hang", shell+"  ttl: 15s\n")
		n.session("shorter", shell+"  ttl: 30m\n")
		session := n.reaches("hang", v1alpha1.PhaseActive)
		n.reaches("shorter", v1alpha1.PhaseActive)
		n.patch("hang", `{"ttl":"22s"}`)
		n.patch("shorter", `{"ttl":"20s"}`)
		Eventually(func() time.Duration {
			return n.get("hang").Status.ExpiresAt.Sub(session.Status.StartedAt.Time)
		}).WithTimeout(10 * time.Second).Should(Equal(22 * time.Second))
		Expect(n.get("hang").Status.Debugger.Deadline).To(Equal(n.get("hang").Status.ExpiresAt))

		Eventually(func() bool {
			status := n.get("shorter").Status
			return status.Debugger.Deadline.Equal(status.ExpiresAt) && status.ExpiresAt.Sub(status.StartedAt.Time) == 20*time.Second
		}).WithTimeout(10 * time.Second).Should(BeTrue())

		ended := n.ends("shorter", v1alpha1.OutcomeExpired)
		Expect(ended.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByDeadline), "and not by the operator")
		ended = n.ends("hang", v1alpha1.OutcomeExpired)
		Expect(ended.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByDeadline))
		Expect(n.debuggerState(session).Terminated.FinishedAt.Time).To(BeTemporally(">=", ended.Status.ExpiresAt.Time))
	})

	It("moves with ttl, and is final", func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", copyOf+"  ttl: 10m\n")
		session := n.reaches("copy", v1alpha1.PhaseActive)
		n.patch("copy", `{"ttl":"20m"}`)
		Eventually(func() time.Duration {
			return n.get("copy").Status.ExpiresAt.Sub(session.Status.StartedAt.Time)
		}).Should(Equal(20 * time.Minute))
		n.patch("copy", `{"ttl":"10s"}`)
		n.ends("copy", v1alpha1.OutcomeExpired)
		n.gone("pod", session.Status.Debugger.PodName)

		n.session("copy", copyOf+"  ttl: 30m\n") // as a GitOps tool would apply it again
		Eventually(func() bool { s := n.get("copy"); return s.Status.ObservedGeneration == s.Generation }).Should(BeTrue())
		n.ends("copy", v1alpha1.OutcomeExpired)
		Expect(n.kubectl("get", "pods", "-o", "name")).To(Equal("pod/web\n"))
	})

	It("comes when somebody sets end", func() {
		n := newNamespace()
		n.pod("web")
		n.session("hang", shell)
		n.session("copy", copyOf)
		session := n.reaches("hang", v1alpha1.PhaseActive)
		n.reaches("copy", v1alpha1.PhaseActive)
		n.patch("hang", `{"end":true}`)
		n.patch("copy", `{"end":true}`)
		n.ends("hang", v1alpha1.OutcomeTerminated)
		n.ends("copy", v1alpha1.OutcomeTerminated)
		Expect(n.debuggerState(session).Terminated).NotTo(BeNil())
	})

	It("comes when the target is deleted", func() {
		n := newNamespace()
		n.pod("web")
		n.session("hang", shell)
		n.reaches("hang", v1alpha1.PhaseActive)
		n.kubectl("delete", "pod", "web", "--wait=false")
		session := n.ends("hang", v1alpha1.OutcomeTargetGone)
		Expect(session.Status.Debugger.ImageID).NotTo(BeEmpty(), "the record stays")
		before := session.Status.Target.PodUID
		n.gone("pod", "web")
		Expect(n.pod("web").UID).NotTo(Equal(before))
		Expect(n.getPod("web").Spec.EphemeralContainers).To(BeEmpty(), "the pod that took its name is another")
	})

	It("comes when the target's container is restarted, which takes the debugger with it", func() {
		n := newNamespace()
		n.pod("web")
		n.session("hang", shell)
		active := n.reaches("hang", v1alpha1.PhaseActive)
		// Process 1 of the joined namespace is the application. What kills it goes with it, so that its own answer says nothing.
		_, _ = tryKubectl("-n", string(n), "exec", "web", "-c", active.Status.Debugger.ContainerName, "--", "kill", "1")
		session := n.ends("hang", v1alpha1.OutcomeTargetGone)
		Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonTargetRestarted))
		Expect(session.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByTarget))
		Expect(session.Status.Message()).To(ContainSubstring(`container "app" of pod "web" ended`))
		Eventually(func() int32 { return n.getPod("web").Status.ContainerStatuses[0].RestartCount }).Should(BeEquivalentTo(1))
		Expect(n.debuggerState(active).Terminated).NotTo(BeNil())
	})

	It("takes the pod's own end where nothing can stop the debugger, and the session says so", func() {
		n := newNamespace()
		n.pod("web")
		spec := fmt.Sprintf("  target: {podName: web}\n  debugger: {image: %q, unstoppable: true, env: [{name: PORT, value: '8082'}]}\n",
			appImage)
		Expect(n.tryApply(sessionManifest("distroless", spec))).To(MatchError(And(
			ContainSubstring("spec.debugger.unstoppable"), ContainSubstring("not allowed"))))
		n.session("distroless", "  className: e2e-everything\n  ttl: 10s\n"+spec)
		active := n.reaches("distroless", v1alpha1.PhaseActive)
		Expect(active.Status.HardDeadline).To(BeNil())
		Expect(active.Status.Message()).To(ContainSubstring("it runs until it exits or its pod is deleted"))

		Eventually(func() string { return condition(n.get("distroless"), v1alpha1.ConditionDebuggerReady).Reason }).
			Should(Equal(v1alpha1.ReasonUnstoppable))
		Expect(n.get("distroless").Status.Phase).To(Equal(v1alpha1.PhaseEnding), "what runs has not ended")
		_, err := tryKubectl("-n", string(n), "get", "rolebinding", active.Status.Access.Name)
		Expect(err).To(MatchError(ContainSubstring("NotFound")), "the access went at the session's time")
		Expect(n.debuggerState(active).Running).NotTo(BeNil())
		n.kubectl("delete", "pod", "web", "--wait=false")
		n.ends("distroless", v1alpha1.OutcomeExpired)
	})
})

var _ = Describe("a session that is deleted", func() {
	It("leaves nothing, whatever phase it was in", func() {
		n := newNamespace()
		pod := n.pod("web")
		n.session("pending", nowhere)
		n.session("starting", "  target: {podName: web}\n  mode: PodCopy\n  debugger: {image: \"nowhere.example/no/such:tag\"}\n")
		n.session("active-copy", copyOf)
		n.session("active", shell)
		n.session("ended", nowhere+"  end: true\n")
		n.reaches("pending", v1alpha1.PhasePending)
		n.reaches("starting", v1alpha1.PhaseStarting)
		n.reaches("active-copy", v1alpha1.PhaseActive)
		session := n.reaches("active", v1alpha1.PhaseActive)
		n.reaches("ended", v1alpha1.PhaseEnded)

		n.kubectl("delete", "dbg", "--all", "--timeout=30s")
		Expect(n.debuggerState(session).Terminated).NotTo(BeNil())
		Expect(n.kubectl("get", "pods", "-o", "name")).To(Equal("pod/web\n"))
		Expect(n.getPod("web").UID).To(Equal(pod.UID))
	})

	It("does not keep its namespace from going", func() {
		n := newNamespace()
		n.pod("web")
		n.session("pending", nowhere)
		n.session("hang", shell)
		n.session("copy", copyOf)
		n.session("unpulled", "  target: {podName: web}\n  debugger: {image: \"nowhere.example/no/such:tag\"}\n")
		n.reaches("hang", v1alpha1.PhaseActive)
		n.reaches("copy", v1alpha1.PhaseActive)
		kubectl("delete", "namespace", string(n), "--timeout=60s")
	})
})

// attachTo runs an attach command with nothing typed. The channel is closed when it has ended.
func attachTo(command string) <-chan struct{} {
	GinkgoHelper()
	words := strings.Fields(command)
	cmd := exec.Command(words[0], words[1:]...)
	keyboard, err := cmd.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(cmd.Start()).To(Succeed())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its exit code is the debugger's
	}()
	DeferCleanup(func() {
		_ = cmd.Process.Kill()
		_ = keyboard.Close()
	})
	return ended
}
