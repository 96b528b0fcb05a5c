package e2e

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a session of many pods", func() {
	// web is a Deployment of three pods.
	web := func(n namespace) []string {
		GinkgoHelper()
		n.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: app, image: "busybox:1.36", command: [sleep, infinity]}
`)
		n.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
		return strings.Fields(n.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}"))
	}
	const all = `
  className: e2e-everything
  target: {workload: {kind: Deployment, name: web}, all: {max: 5}}
`

	It("asks each of them the same, and has the answer of each in its row", func() {
		n := newNamespace()
		pods := web(n)
		n.session("all", all+`
  debugger: {image: "busybox:1.36", command: [sh, -c, "hostname"]}
`)
		session := n.ends("all", v1alpha1.OutcomeCompleted)
		Expect(session.Status.Target.Name).To(Equal("deployment/web (3)"))
		var seen []string
		for _, row := range session.Status.Members {
			Expect(row.Outcome).To(Equal(v1alpha1.OutcomeCompleted), fmt.Sprintf("%+v", row))
			Expect(strings.TrimSpace(row.Output)).To(Equal(row.PodName))
			Expect(n.get(row.Name).Status.Debugger.Output).To(ContainSubstring(row.PodName))
			seen = append(seen, row.PodName)
		}
		Expect(seen).To(ConsistOf(pods))

		By("members that go with it")
		n.kubectl("delete", "dbg", "all")
		for _, row := range session.Status.Members {
			n.gone("dbg", row.Name)
		}
	})

	It("ends all of them together, and nothing of any is left", func() {
		n := newNamespace()
		web(n)
		n.session("all", all+`
  debugger: {image: "busybox:1.36", command: [sleep, infinity]}
`)
		Eventually(func() *v1alpha1.MemberCounts { return n.get("all").Status.MemberCounts }).Should(HaveValue(Equal(v1alpha1.MemberCounts{Total: 3, Active: 3})))
		n.patch("all", `{"end":true}`)
		session := n.ends("all", v1alpha1.OutcomeTerminated)
		for _, row := range session.Status.Members {
			member := n.get(row.Name)
			Expect(member.Status.Outcome).To(Equal(v1alpha1.OutcomeTerminated))
			Expect(n.debuggerState(member).Terminated).NotTo(BeNil())
		}
		Expect(n.kubectl("get", "roles,rolebindings", "-o", "name")).To(BeEmpty())
	})
})
