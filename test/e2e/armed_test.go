package e2e

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a session that is armed", func() {
	It("copies the pod that crashes, and keeps what its command found", func() {
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
		n.session("night", fmt.Sprintf(`
  target: {workload: {kind: Deployment, name: web}, when: {crashed: true}}
  notAfter: %q
  mode: PodCopy
  podCopy: {quiesce: [{name: app}]}
  debugger: {image: "busybox:1.36", command: [sh, -c, "echo evidence; ps"]}
`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
		Eventually(func() string {
			session := n.get("night")
			return session.Status.Reason + ": " + session.Status.Message()
		}).Should(HavePrefix("Armed: waiting until a pod of deployment/web crashes; pods watched: 2"))

		pod := n.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
		n.kubectl("exec", pod, "--", "touch", "/tmp/crash")
		session := n.ends("night", v1alpha1.OutcomeCompleted)
		Expect(session.Status.Target.PodName).To(Equal(pod))
		Expect(session.Status.Target.Choice).To(HavePrefix(pod + ` crashed: container "app" ended (Error, exit code 3`))
		Expect(session.Status.Debugger.Output).To(HavePrefix("evidence\n"))
	})
})
