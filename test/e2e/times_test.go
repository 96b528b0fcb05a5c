package e2e

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a session that is armed for more than one crash", func() {
	It("has a record of each, also of the same pod, and ends after the last", func() {
		n := newNamespace()
		n.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: app, image: "busybox:1.36", command: [sh, -c, "while ! test -e /tmp/crash; do sleep 0.2; done; sleep 1; exit 3"]} # nothing counts in the second in which it is armed
`)
		n.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
		n.session("nights", fmt.Sprintf(`
  className: e2e-everything
  target: {workload: {kind: Deployment, name: web}, when: {crashed: true, times: 2}}
  notAfter: %q
  mode: PodCopy
  podCopy: {quiesce: [{name: app}]}
  debugger: {image: "busybox:1.36", command: [sh, -c, "echo evidence; ps"]}
`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
		says := func() string {
			session := n.get("nights")
			return fmt.Sprintf("%s %s: %s", session.Status.Phase, session.Status.Reason, session.Status.Message())
		}
		Eventually(says).Should(HavePrefix("Pending Armed: waiting for trigger 1 of 2, until a pod of deployment/web crashes; pods watched: 2"))

		pod := n.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
		crash := func() { n.kubectl("exec", pod, "--", "touch", "/tmp/crash") }
		crash()
		Eventually(says).WithTimeout(time.Minute).Should(HavePrefix("Active Armed: waiting for trigger 2 of 2"))

		By("a second crash of the pod, whose container was started again")
		Eventually(func() string {
			return n.kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].state.running.startedAt}")
		}).ShouldNot(BeEmpty())
		crash()
		session := n.ends("nights", v1alpha1.OutcomeCompleted)
		Expect(session.Status.Target.Name).To(Equal("deployment/web (2 of 2)"))
		Expect(session.Status.Members).To(HaveLen(2))
		for _, row := range session.Status.Members {
			Expect(row.Outcome).To(Equal(v1alpha1.OutcomeCompleted), fmt.Sprintf("%+v", row))
			Expect(row.Trigger).To(HavePrefix(pod + ` crashed: container "app" ended (Error, exit code 3`))
			member := n.get(row.Name)
			Expect(member.Status.Target.Choice).To(Equal(row.Trigger))
			Expect(member.Status.Debugger.Output).To(HavePrefix("evidence\n"))
		}
		Expect(session.Status.Members[0].Trigger).NotTo(Equal(session.Status.Members[1].Trigger))
	})
})
