package e2e

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
)

// copyOf is a spec that copies pod web with a shell in the copy.
const copyOf = `
  target: {podName: web}
  mode: PodCopy
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`

var _ = Describe("a copy", func() {
	It("shares processes, belongs to the session alone, gets no traffic, and goes at its time", func() {
		n := newNamespace()
		n.apply(strings.ReplaceAll(webDeployment, "IMAGE", appImage))
		n.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
		n.session("copy", `
  target: {workload: {kind: Deployment, name: web}}
  mode: PodCopy
  podCopy: {name: web-copy}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
  ttl: 20s
`)
		session := n.reaches("copy", v1alpha1.PhaseActive)
		copied := n.getPod("web-copy")

		Expect(n.exec(session, "ps")).To(MatchRegexp(`(?s) 1 \S+ +/pause\n.* /\S+\n.* /\S+\n`), "pause and both containers' processes")
		Expect(copied.Spec.ShareProcessNamespace).To(HaveValue(BeTrue()))
		Expect(copied.Labels).NotTo(HaveKey("app"))
		Expect(copied.OwnerReferences).To(HaveLen(1))
		Expect(copied.OwnerReferences[0].UID).To(Equal(session.UID))
		Expect(copied.OwnerReferences[0].Controller).To(HaveValue(BeTrue()))
		Expect(copied.Spec.ActiveDeadlineSeconds).To(HaveValue(BeNumerically(">", 0)))
		Expect(session.Status.Debugger.PodUID).To(Equal(copied.UID))

		Expect(n.kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o",
			"jsonpath={.items[*].endpoints[*].targetRef.name}")).
			To(And(Not(BeEmpty()), Not(ContainSubstring("web-copy"))))

		n.ends("copy", v1alpha1.OutcomeExpired)
		Expect(tryKubectl("-n", string(n), "get", "pod", "web-copy")).Error().To(MatchError(ContainSubstring("NotFound")))
		Expect(n.kubectl("get", "pods", "-o", "name")).To(MatchRegexp(`^pod/web-\w+-\w+\n$`), "the ReplicaSet has its one pod, as before")
	})

	It("and a pod on a node have no token, no root and no privilege that the class does not allow", func() {
		n := newNamespace()
		n.podWith(`
  restartPolicy: Never
  containers:
  - {name: app, image: "busybox:1.36", command: [sleep, "600"], securityContext: {privileged: true}}
`)
		class := n.class(fmt.Sprintf(`
  modes: [EphemeralContainer, PodCopy, Node]
  nodeNamespace: %s
  profiles: [general, baseline, restricted]
  resources: {debugger: {cpu: 200m, memory: 64Mi}}
  maxTTL: 10m
  access: {verbs: [Attach, Logs]}
`, n))
		look := `, debugger: {image: "busybox:1.36", command: [sh, -c, "ls -d /var/run/secrets/* ; ` +
			`cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; true"]}}`
		inPod := "  {className: " + class + ", target: {podName: web}, "
		n.apply(sessionManifest("token-copy", inPod+"mode: PodCopy, podCopy: {shareProcesses: false}"+look))
		n.apply(sessionManifest("token-node", fmt.Sprintf("  {className: %s, mode: Node, profile: baseline, target: {nodeName: %s}", class,
			n.getPod("web").Spec.NodeName)+look))
		n.apply(sessionManifest("root", inPod+`debugger: {image: "busybox:1.36", command: [id], runAs: FromTarget}}`))
		n.apply(sessionManifest("change", inPod+`mode: PodCopy, podCopy: {containers: [{name: app, command: [id]}]}}`))

		for _, name := range []string{"token-copy", "token-node"} {
			output := n.ends(name, v1alpha1.OutcomeCompleted).Status.Debugger.Output
			Expect(output).To(And(ContainSubstring("/var/run/secrets/*: No such file"), ContainSubstring("67108864")), name)
		}
		Expect(n.ends("root", v1alpha1.OutcomeRejected).Status.Message()).To(ContainSubstring("spec.debugger.runAs"))
		Expect(n.ends("change", v1alpha1.OutcomeRejected).Status.Message()).To(ContainSubstring("mounting or reading"))

		// of the class standard
		taking := "  {target: {podName: web}, mode: PodCopy, debugger: {container: app, command: [sh], stdin: true}"
		n.apply(sessionManifest("takes", taking+"}"))
		n.apply(sessionManifest("afresh", taking+", profile: baseline}"))
		Expect(n.ends("takes", v1alpha1.OutcomeRejected).Status.Message()).To(ContainSubstring("securityContext.privileged"))
		made := n.getPod(n.reaches("afresh", v1alpha1.PhaseActive).Status.Debugger.PodName)
		Expect(made.Spec.Containers[0].SecurityContext).To(BeNil())
	})

	It("never takes nor deletes a pod of its name that is not its own", func() {
		n := newNamespace()
		n.pod("web")
		foreign := n.pod("precious")
		n.session("copy", copyOf+"  podCopy: {name: precious}\n")
		session := n.ends("copy", v1alpha1.OutcomeRejected)
		Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonNameTaken))
		n.kubectl("delete", "dbg", "copy", "--timeout=30s")
		Expect(n.getPod("precious").UID).To(Equal(foreign.UID))
		Expect(n.getPod("precious").DeletionTimestamp).To(BeNil())
	})

	It("outlives its target, and its session ends when somebody deletes it", func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", copyOf)
		session := n.reaches("copy", v1alpha1.PhaseActive)
		n.kubectl("delete", "pod", "web")
		Consistently(func() v1alpha1.Phase { return n.get("copy").Status.Phase }, "3s").Should(Equal(v1alpha1.PhaseActive))
		n.kubectl("delete", "pod", session.Status.Debugger.PodName, "--grace-period=1")
		n.ends("copy", v1alpha1.OutcomeTerminated)
	})

	It("runs with the changes that are asked for", func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", copyOf+`
  podCopy:
    sameNode: true
    shareProcesses: false
    keep: [Labels]
    containers: [{name: app, image: "busybox:1.36", command: [sleep, "1000"]}]
`)
		session := n.reaches("copy", v1alpha1.PhaseActive)
		copied := n.getPod(session.Status.Debugger.PodName)
		Expect(copied.Labels).To(HaveKeyWithValue("app", "web"))
		Expect(ptr.Deref(copied.Spec.ShareProcessNamespace, false)).To(BeFalse())
		Expect(n.exec(session, "ps")).NotTo(ContainSubstring("sleep 1000"))
		Eventually(func() corev1.PodPhase { return n.getPod(copied.Name).Status.Phase }).Should(Equal(corev1.PodRunning))
		Expect(n.getPod("web").Spec.Containers[0].Image).To(Equal(appImage), "the target is not touched")
	})
})

const webDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "IMAGE", env: [{name: PORT, value: "8080"}]}
      - {name: cache, image: "IMAGE", env: [{name: PORT, value: "8081"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`
