package e2e

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

// shell is a spec that brings a shell to pod web, for as long as nothing else is said.
const shell = `
  target: {podName: web}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`

var _ = Describe("an ephemeral debugger", func() {
	It("sees the target's processes and files, and the session tells all about it", func() {
		n := newNamespace()
		pod := n.pod("web")
		n.session("hang", shell)
		session := n.reaches("hang", v1alpha1.PhaseActive)

		Expect(n.exec(session, "ps")).To(MatchRegexp(`(?m)^ +1 .* /\S+$`), "the target is PID 1")
		Expect(n.exec(session, "ls", "/proc/1/root/etc")).NotTo(BeEmpty())

		status := session.Status
		Expect(status.Target.PodUID).To(Equal(pod.UID))
		Expect(status.Target.Container).To(Equal("app"))
		Expect(status.Target.NodeName).To(Equal(pod.Spec.NodeName))
		Expect(status.Debugger.PodUID).To(Equal(pod.UID))
		Expect(status.Debugger.Image).To(ContainSubstring("busybox"))
		Expect(status.Debugger.ImageID).To(ContainSubstring("@sha256:"))
		Expect(status.Debugger.StartedAt).NotTo(BeNil())
		Expect(status.ExpiresAt.Sub(status.StartedAt.Time)).To(Equal(30 * time.Minute))
		Expect(status.Attach).To(Equal("kubectl attach -i -n " + string(n) + " web -c " + status.Debugger.ContainerName))
		Eventually(n.eventMessages("hang", "Active")).Should(ContainSubstring(status.Attach))

		added := n.getPod("web").Spec.EphemeralContainers
		Expect(added).To(HaveLen(1))
		Expect(added[0].TargetContainerName).To(Equal("app"))
	})

	It("is attached to by the command that status gives, through a pipe too, and its exit code is kept", func() {
		n := newNamespace()
		n.pod("web")
		n.session("hang", `
  target: {podName: web}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true, stdinOnce: true}
`)
		session := n.reaches("hang", v1alpha1.PhaseActive)
		attach := strings.Fields(strings.TrimPrefix(session.Status.Attach, "kubectl "))
		out, err := feedKubectl("ps\nexit 3\n", attach...)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(MatchRegexp(`(?m)^ +1 .* /\S+$`))

		session = n.ends("hang", v1alpha1.OutcomeCompleted)
		Expect(session.Status.Debugger.ExitCode).To(HaveValue(BeEquivalentTo(3)))
		Expect(session.Status.Debugger.FinishedAt).NotTo(BeNil())
	})

	It("comes as its spec says", func() {
		n := newNamespace()
		n.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {LEVEL: high}}`)
		n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: app, image: "` + appImage + `", env: [{name: PORT, value: "8080"}]}
  - {name: cache, image: "` + appImage + `", env: [{name: PORT, value: "8081"}]}
  volumes: [{name: scratch, emptyDir: {}}]
`)
		n.session("hang", `
  className: e2e-everything
  target: {podName: web, container: cache}
  debugger:
    image: busybox:1.36
    command: [sh, -c]
    args: ['echo "$GREETING $LEVEL in $(pwd)" >/dev/termination-log; touch /scratch/here; cat']
    workingDir: /tmp
    env: [{name: GREETING, value: hello}]
    envFrom: [{configMapRef: {name: settings}}]
    volumeMounts: [{name: scratch, mountPath: /scratch}]
    securityContext: {runAsUser: 0}
    imagePullPolicy: IfNotPresent
    stdin: true
`)
		session := n.reaches("hang", v1alpha1.PhaseActive)
		Expect(session.Status.Target.Container).To(Equal("cache"))
		Eventually(func() string { return n.exec(session, "cat", "/dev/termination-log") }).Should(Equal("hello high in /tmp\n"))
		Expect(n.exec(session, "ls", "/scratch")).To(Equal("here\n"))
		Expect(n.exec(session, "cat", "/proc/1/environ")).To(ContainSubstring("PORT=8081"), "the processes are those of container cache")
	})

	It("waits for a pod that is not there yet", func() {
		n := newNamespace()
		n.session("early", shell)
		session := n.reaches("early", v1alpha1.PhasePending)
		Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonTargetNotFound))
		Eventually(n.eventMessages("early", v1alpha1.ReasonTargetNotFound)).Should(ContainSubstring(`there is no pod "web"`))
		n.pod("web")
		n.reaches("early", v1alpha1.PhaseActive)
	})
})
