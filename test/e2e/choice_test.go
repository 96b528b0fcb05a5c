package e2e

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("the target among the replicas of a Deployment", func() {
	It("is the one in trouble unless another is asked for, and the session says why", func() {
		n := newNamespace()
		replicas := func(command string) string {
			return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: busybox:1.36
        command: [sh, -c, %q]
        readinessProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1}
`, command)
		}
		pods := func(query string) []string {
			return strings.Fields(n.kubectl("get", "pods", "-l", "app=web", "--sort-by=.metadata.creationTimestamp",
				"-o", "jsonpath="+query))
		}
		n.apply(replicas("touch /tmp/up; exec sleep 1000"))
		n.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
		healthy := pods("{.items[*].metadata.name}")
		Expect(healthy).To(HaveLen(2))

		// A bad deploy: one more pod, which crashes. Then one of the others is replaced, and that is the newest.
		n.apply(replicas("exit 1"))
		crashing := func() []string {
			return pods(`{range .items[?(@.status.containerStatuses[*].restartCount>0)]}{.metadata.name} {end}`)
		}
		Eventually(crashing).Should(HaveLen(1))
		crashed := crashing()[0]
		n.kubectl("delete", "pod", healthy[0], "--wait=false")
		n.gone("pod", healthy[0])
		oldest := healthy[1]
		var newest string
		Eventually(func(g Gomega) {
			all := pods("{.items[*].metadata.name}")
			g.Expect(all).To(HaveLen(3))
			newest = all[2]
			g.Expect(newest).NotTo(BeElementOf(oldest, crashed))
		}).Should(Succeed())
		n.ready(newest)

		for _, test := range []struct{ pick, want, why string }{
			{"", crashed, "of 3 pods, by Unhealthy, then Newest; it was not ready"},
			{"Unhealthy", crashed, "of 1 pods, by Unhealthy; it was not ready"},
			{"Ready", newest, "of 2 pods, by Ready; it was ready"},
			{"Newest", newest, "of 3 pods, by Newest; it was ready"},
			{"Oldest", oldest, "of 3 pods, by Oldest; it was ready"},
		} {
			name, pick := "default", ""
			if test.pick != "" {
				name, pick = strings.ToLower(test.pick), ", pick: "+test.pick
			}
			n.session(name, fmt.Sprintf(`
  target: {workload: {kind: Deployment, name: web}%s}
  mode: PodCopy
  podCopy: {quiesce: [{name: app}]}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`, pick))
			session := n.reaches(name, v1alpha1.PhaseActive)
			Expect(session.Status.Target.PodName).To(Equal(test.want), "pick %q: %s", test.pick, session.Status.Target.Choice)
			Expect(session.Status.Target.PodUID).To(Equal(n.getPod(test.want).UID))
			Expect(session.Status.Target.Choice).To(Equal(test.want + " " + test.why))
			n.patch(name, `{"end":true}`)
		}

		By("and says what keeps a debugger out of a container that does not run")
		n.session("joining",
			"  target: {workload: {kind: Deployment, name: web}}\n  debugger: {image: \"busybox:1.36\", command: [sh], stdin: true}\n")
		Eventually(func() string {
			session := n.get("joining")
			return session.Status.Reason + ": " + session.Status.Message()
		}).Should(ContainSubstring("mode: PodCopy"))
		n.patch("joining", `{"end":true}`)

		By("and is not chosen again when it has gone")
		n.session("gone",
			"  target: {workload: {kind: Deployment, name: web}, pick: Oldest}\n  debugger: {image: \"busybox:1.36\", command: "+
				"[sh], stdin: true}\n")
		Expect(n.reaches("gone", v1alpha1.PhaseActive).Status.Target.PodName).To(Equal(oldest))
		n.kubectl("delete", "pod", oldest, "--wait=false")
		Expect(n.ends("gone", v1alpha1.OutcomeTargetGone).Status.Target.PodName).To(Equal(oldest))
	})

	It("is not there if the workload is misspelt, and the session says what is wrong at once", func() {
		n := newNamespace()
		started := time.Now()
		for name, test := range map[string]struct{ workload, says string }{
			"kind": {"{kind: Deploy, name: web}", `spec.target.workload: the cluster has no kind "Deploy" in apiVersion apps/v1`},
			"version": {
				"{kind: Job, name: web}",
				`no kind "Job" in apiVersion apps/v1: copy both from the workload's manifest, such as Deployment and apps/v1, ` +
					`or Job and batch/v1`,
			},
			"podless": {"{apiVersion: v1, kind: ConfigMap, name: kube-root-ca.crt}", "has no scale subresource"},
		} {
			n.session(name, "  target: {workload: "+test.workload+"}\n  debugger: {image: \"busybox:1.36\"}\n")
			session := n.ends(name, v1alpha1.OutcomeRejected)
			Expect(session.Status.Message()).To(ContainSubstring(test.says))
		}
		Expect(time.Since(started)).To(BeNumerically("<", time.Minute))
	})
})
