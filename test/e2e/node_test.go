package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a debugger on a node", func() {
	It("sees the node, stays when everything else is driven off it, and goes at its end", Serial, func() {
		ownCluster()
		n := newNamespace()
		node := n.pod("web").Spec.NodeName
		class := n.class(fmt.Sprintf(
			"  modes: [Node]\n  nodeNamespace: %s\n  profiles: [general]\n  maxTTL: 10m\n  access: {verbs: [Attach, Exec, Logs]}\n", n))
		onNode := fmt.Sprintf(`
  className: %s
  mode: Node
  target: {nodeName: %s}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`, class, node)
		Expect(newNamespace().tryApply(sessionManifest("disk", onNode))).
			To(MatchError(ContainSubstring("nodes may be debugged only in namespace %q", n)))
		n.session("disk", onNode)
		session := n.reaches("disk", v1alpha1.PhaseActive)
		Expect(session.Status.Target.Name).To(Equal("node/" + node))

		marked := filepath.Join(GinkgoT().TempDir(), "mark")
		Expect(os.WriteFile(marked, []byte("of the host"), 0o600)).To(Succeed())
		host, err := os.Hostname()
		Expect(err).NotTo(HaveOccurred())
		Expect(n.exec(session, "cat", "/host"+marked)).To(Equal("of the host"))
		Expect(strings.TrimSpace(n.exec(session, "hostname"))).To(Equal(host))
		Expect(n.exec(session, "ps")).To(MatchRegexp(`(?m)^ *%d .*e2e\.test`, os.Getpid()), "this test is a process of the host's")

		DeferCleanup(func() {
			_, _ = tryKubectl("taint", "node", node, "e2e/broken-")
			operatorReady()
		})
		kubectl("taint", "node", node, "e2e/broken=true:NoExecute")
		n.gone("pod", "web")
		made := n.getPod(session.Status.Debugger.PodName)
		Expect(made.UID).To(Equal(session.Status.Debugger.PodUID))
		Expect(made.DeletionTimestamp).To(BeNil())
		Expect(made.Status.Phase).To(Equal(corev1.PodRunning))
		kubectl("taint", "node", node, "e2e/broken-")
		operatorReady()

		n.end("disk")
		Expect(n.kubectl("get", "pods", "-o", "name")).To(BeEmpty())
	})

	It("waits for a node that there is not, and says so", func() {
		n := newNamespace()
		class := n.class(fmt.Sprintf("  modes: [Node]\n  nodeNamespace: %s\n  profiles: [general]\n  maxTTL: 10m\n", n))
		n.session("disk",
			fmt.Sprintf("  className: %s\n  mode: Node\n  target: {nodeName: node-17}\n  debugger: {image: busybox}\n", class))
		Expect(n.reaches("disk", v1alpha1.PhasePending).Status.Message()).To(ContainSubstring(`there is no node "node-17"`))
	})
})
