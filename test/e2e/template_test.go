package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a workload that does not run", func() {
	const (
		idle = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: app, image: "busybox:1.36", command: [sleep, infinity], env: [{name: LEVEL, value: info}]}]
`
		nightly = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 1 1 *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "echo ran; exit 1"]}]
`
		asks = `
  className: e2e-everything
  target: {workload: {kind: KIND, apiVersion: GROUP, name: NAME}}
  mode: PodCopy
  podCopy: {quiesce: [{name: "*"}]}
  debugger: {image: "busybox:1.36", command: [sh, -c, "echo $LEVEL; ps; exec sleep infinity"], envFromTarget: true}
`
	)

	It("is debugged in a copy of its pod template, which no controller takes for its own", func() {
		n := newNamespace()
		n.apply(idle)
		n.apply(nightly)
		n.session("web", strings.NewReplacer("KIND", "Deployment", "GROUP", "apps/v1", "NAME", "web").Replace(asks))
		n.session("nightly", strings.NewReplacer("KIND", "CronJob", "GROUP", "batch/v1", "NAME", "nightly").Replace(asks))
		for name, target := range map[string]string{"web": "deployment/web", "nightly": "cronjob/nightly"} {
			session := n.reaches(name, v1alpha1.PhaseActive)
			Expect(session.Status.Target.Name).To(Equal(target))
			Expect(session.Status.Target.WorkloadUID).NotTo(BeEmpty())
			made := n.getPod(session.Status.Debugger.PodName)
			Expect(made.Labels).NotTo(HaveKey("app"))
			stays := func() string {
				return n.kubectl("get", "pods", "-o", "name", "--field-selector=metadata.name="+made.Name)
			}
			Consistently(stays, "3s").ShouldNot(BeEmpty(), "no controller deletes it")
			Expect(n.exec(session, "ps")).To(ContainSubstring("sleep 2147483647"), "its application sleeps")
			n.end(name)
		}
		Expect(n.kubectl("get", "pods", "-o", "name")).To(BeEmpty())
	})
})
