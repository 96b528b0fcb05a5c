package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("the samples", func() {
	It("apply cleanly, all at once and again, and run", func() {
		ownCluster()
		const shop, nodes = namespace("shop"), namespace("node-debugging")
		if _, err := tryKubectl("get", "namespace", string(shop)); err == nil {
			Skip("there is a namespace shop, which is not this test's")
		}
		node := kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
		samples := strings.ReplaceAll(kubectl("kustomize", "../../config/samples"), "nodeName: node-1\n", "nodeName: "+node+"\n")
		Expect(samples).To(ContainSubstring("nodeName: " + node))
		DeferCleanup(func() {
			if CurrentSpecReport().Failed() {
				shop.show()
				nodes.show()
			}
			_, _ = feedKubectl(samples, "delete", "--ignore-not-found", "--wait=false", "-f", "-")
			made = append(made, shop, nodes)
		})
		for range 2 {
			_, err := feedKubectl(samples, "apply", "-f", "-")
			Expect(err).NotTo(HaveOccurred())
		}

		Expect(shop.ends("checkout-sockets", v1alpha1.OutcomeCompleted).Status.Debugger.Output).
			To(ContainSubstring("Active Internet connections"))
		for _, name := range []string{"checkout-hang", "checkout-copy", "checkout-quiet", "checkout-image", "report-failed"} {
			shop.reaches(name, v1alpha1.PhaseActive)
		}
		Expect(shop.ends("checkout-all", v1alpha1.OutcomeCompleted).Status.Members).To(And(HaveLen(2), HaveEach(HaveField("Output", ContainSubstring("checkout-")))))
		for _, name := range []string{"checkout-armed", "checkout-nights"} {
			Eventually(func() string { return shop.get(name).Status.Reason }).Should(Equal(v1alpha1.ReasonArmed))
		}
		quiet := shop.get("checkout-quiet")
		Expect(shop.exec(quiet, "ps")).To(And(ContainSubstring("/manager sleep"), Not(ContainSubstring("/server"))))
		Expect(shop.exec(quiet, "cat", "/etc/checkout/checkout.properties")).To(ContainSubstring("payment.url"))

		// The two that somebody else has to agree to. Bob's approval came with the session that it is of, and counts for
		// nothing: it cannot have been bob who looked at it.
		bob := user("bob")
		shop.reaches("checkout-prod", v1alpha1.PhaseAwaitingApproval)
		shop.kubectl("delete", "debugapproval", "checkout-prod-bob")
		_, approval, found := strings.Cut(samples, "kind: DebugApproval\n")
		Expect(found).To(BeTrue())
		approval, _, _ = strings.Cut(approval, "\n---")
		approval = "apiVersion: debugsession.dev/v1alpha1\nkind: DebugApproval\n" + approval
		_, err := bob.do(shop, approval, "apply", "-f", "-")
		Expect(err).To(MatchError(ContainSubstring("spec.requestHash: required by class")))
		seen := shop.get("checkout-prod").Status.Request.Hash
		bob.apply(shop, strings.Replace(approval, "spec:\n", "spec:\n  requestHash: "+seen+"\n", 1))
		shop.reaches("checkout-prod", v1alpha1.PhaseActive)

		nodes.reaches("node-disk-pressure", v1alpha1.PhaseAwaitingApproval)
		nodes.edits("--user=bob")
		nodes.may("approve", "nodes", "--user=bob")
		bob.apply(nodes, approvalManifest("agreed", "node-disk-pressure", "Approve", ""))
		session := nodes.reaches("node-disk-pressure", v1alpha1.PhaseActive)
		Expect(nodes.exec(session, "ls", "/host")).To(ContainSubstring("etc"))
	})
})
