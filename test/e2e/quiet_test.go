package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a quiet copy", func() {
	// consumer is a pod of two containers that would be the next incident if they ran twice. One image has no sleep, and its
	// container may write nowhere, as a user whom no image knows.
	const consumer = `
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: IMAGE
    env: [{name: PORT, value: "8080"}]
    livenessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1, failureThreshold: 1}
    resources: {limits: {memory: 64Mi}}
    securityContext: {runAsUser: 31337, runAsGroup: 31337, readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  - name: worker
    image: busybox:1.36
    command: [sh, -c, "echo consumed >/queue/consumed-by-$HOSTNAME; exec tail -f /dev/null"]
    readinessProbe: {exec: {command: [ls, /queue/consumed-by-web]}, periodSeconds: 1}
    volumeMounts: [{name: queue, mountPath: /queue}]
  volumes: [{name: queue, hostPath: {path: QUEUE, type: DirectoryOrCreate}}]
`
	It("does not run the application, and has no network, while its debugger works", func() {
		n := newNamespace()
		n.podWith(strings.NewReplacer("IMAGE", appImage, "QUEUE", GinkgoT().TempDir()).Replace(consumer))
		n.session("quiet", `
  className: e2e-everything
  target: {podName: web}
  mode: PodCopy
  podCopy:
    name: web-quiet
    keep: [LivenessProbe, ReadinessProbe]
    quiesce: [{name: app, with: OperatorImage}, {name: "*"}]
    isolate: true
  debugger: {image: "busybox:1.36", command: [sh], stdin: true, mountsFrom: worker}
`)
		session := n.reaches("quiet", v1alpha1.PhaseActive)
		asleep := func() []string {
			var running []string
			for _, status := range n.getPod("web-quiet").Status.ContainerStatuses {
				Expect(status.RestartCount).To(BeZero(), status.Name)
				if status.State.Running != nil {
					running = append(running, status.Name)
				}
			}
			return running
		}
		Eventually(asleep).Should(ConsistOf("app", "worker", session.Status.Debugger.ContainerName))
		ps := n.exec(session, "ps")
		Expect(ps).To(And(MatchRegexp(`(?m)^ *\d+ 31337 +/manager sleep$`), MatchRegexp(`(?m) root +sleep 2147483647$`)))
		Expect(ps).NotTo(Or(ContainSubstring("/server"), ContainSubstring("tail -f")))
		Expect(n.exec(session, "ls", "/queue")).To(Equal("consumed-by-web\n"), "the target has, and its copy has not")

		made, err := get[networkingv1.NetworkPolicy](n,
			"networkpolicy", n.kubectl("get", "networkpolicies", "-o", "jsonpath={.items[*].metadata.name}"))
		Expect(err).NotTo(HaveOccurred())
		policy := made.Spec
		Expect(policy.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
		Expect(policy.Ingress).To(BeEmpty())
		Expect(policy.Egress).To(BeEmpty())
		Expect(policy.PodSelector.MatchLabels).NotTo(BeEmpty())
		for key, value := range policy.PodSelector.MatchLabels {
			Expect(n.getPod("web-quiet").Labels).To(HaveKeyWithValue(key, value))
			Expect(n.getPod("web").Labels).NotTo(HaveKey(key))
		}

		n.exec(session, "rm", "-r", "/queue/consumed-by-web")
		Consistently(asleep, "3s").Should(HaveLen(3), "without the probes that nobody answers")
		n.end("quiet")
		Expect(n.kubectl("get", "networkpolicies", "-o", "name")).To(BeEmpty())
		Expect(n.kubectl("get", "pods", "-o", "name")).To(Equal("pod/web\n"))
	})

	It("tells of an image that has no sleep, and what to do", func() {
		n := newNamespace()
		n.pod("web")
		n.session("quiet", copyOf+"  podCopy: {quiesce: [{name: app}]}\n")
		n.reaches("quiet", v1alpha1.PhaseActive)
		Eventually(func() string { return n.get("quiet").Status.Message() }).
			Should(And(ContainSubstring("the image of app has no sleep"), ContainSubstring("with: OperatorImage")))
	})
})
