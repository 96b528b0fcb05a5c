package e2e

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// volume is a claim, with the volume that it is bound to.
const volume = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE-CLAIM}
spec:
  capacity: {storage: 1Mi}
  accessModes: [MODE]
  hostPath: {path: /tmp/NAMESPACE-CLAIM, type: DirectoryOrCreate}
  claimRef: {namespace: NAMESPACE, name: CLAIM}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: CLAIM}
spec: {accessModes: [MODE], storageClassName: "", volumeName: NAMESPACE-CLAIM, resources: {requests: {storage: 1Mi}}}
`

// bound applies a claim, and waits for its volume.
func (n namespace) bound(claim, mode string) {
	GinkgoHelper()
	DeferCleanup(func() { _, _ = tryKubectl("delete", "pv", string(n)+"-"+claim, "--ignore-not-found", "--wait=false") })
	n.apply(strings.NewReplacer("NAMESPACE", string(n), "CLAIM", claim, "MODE", mode).Replace(volume))
	n.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/"+claim, "--timeout=30s")
}

var _ = Describe("a volume and an image", func() {
	const class = "  className: e2e-everything\n  mode: PodCopy\n"

	It("are debugged in a pod of their own, in which a volume can be read and not written", func() {
		n := newNamespace()
		n.bound("data", "ReadWriteOnce")
		n.podWith(`
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "echo kept >/data/file; sleep 600"], volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`)
		const reads = class + `
  target: {volumeClaim: {name: data}}
  debugger: {image: "busybox:1.36", command: [sleep, infinity]}
`
		n.session("reads", reads)
		session := n.reaches("reads", v1alpha1.PhaseActive)
		made := n.getPod(session.Status.Debugger.PodName)
		Expect(made.Spec.NodeName).To(Equal(n.getPod("web").Spec.NodeName))
		Expect(session.Status.Target.NodeName).To(Equal(made.Spec.NodeName))
		Expect(session.Status.Target.Name).To(Equal("pvc/data"))
		Expect(n.exec(session, "cat", "/mnt/file")).To(Equal("kept\n"))
		Expect(n.exec(session, "sh", "-c", "echo lost >/mnt/file || echo refused")).To(ContainSubstring("refused"))
		Expect(n.exec(session, "sh", "-c", "ls /var/run/secrets || echo none")).To(ContainSubstring("none"))
		n.end("reads")
		n.gone("pod", made.Name)

		n.session("writes", strings.Replace(reads, "{name: data}", "{name: data, mountPath: /work, readOnly: false}", 1))
		session = n.reaches("writes", v1alpha1.PhaseActive)
		n.exec(session, "sh", "-c", "echo changed >/work/file")
		n.end("writes")
		Expect(n.kubectl("exec", "web", "-c", "app", "--", "cat", "/data/file")).To(Equal("changed\n"))
	})

	It("are not debugged while one pod alone can have the volume, and has it", func() {
		n := newNamespace()
		n.bound("single", "ReadWriteOncePod")
		n.podWith(`
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "busybox:1.36", command: [sleep, "600"], volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: single}}]
`)
		const asks = class + "  target: {volumeClaim: {name: single}}\n  debugger: {image: \"busybox:1.36\", command: [ls, /mnt]}\n"
		n.session("used", asks)
		Expect(n.ends("used", v1alpha1.OutcomeRejected).Status.Reason).To(Equal(v1alpha1.ReasonClaimInUse))
		n.kubectl("delete", "pod", "web")
		n.session("free", asks)
		n.ends("free", v1alpha1.OutcomeCompleted)
	})

	It("and an image runs beside a debugger that sees its processes, or does not start while that stays", func() {
		n := newNamespace("pod-security.kubernetes.io/enforce=restricted")
		const asks = class + `
  profile: restricted
  target: {image: "busybox:1.36"}
  podCopy: {containers: [{name: app, command: [COMMAND]}]}
  debugger: {image: "busybox:1.36", command: [sleep, infinity], securityContext: {runAsUser: 65534}}
`
		n.session("root", strings.Replace(asks, "COMMAND", "sleep, \"86399\"", 1))
		session := n.reaches("root", v1alpha1.PhaseActive)
		Expect(session.Status.Target.Image).To(Equal("docker.io/library/busybox:1.36"))
		Eventually(func() string {
			for _, status := range n.getPod(session.Status.Debugger.PodName).Status.ContainerStatuses {
				if waits := status.State.Waiting; status.Name == "app" && waits != nil {
					return waits.Reason
				}
			}
			return ""
		}).Should(Equal("CreateContainerConfigError"), "the image's user is root, which the profile forbids")
		n.end("root")

		n = newNamespace()
		n.session("sees", strings.NewReplacer("COMMAND", "sleep, \"86399\"", "profile: restricted", "profile: general",
			", securityContext: {runAsUser: 65534}", "").Replace(asks))
		session = n.reaches("sees", v1alpha1.PhaseActive)
		Eventually(func() string { return n.exec(session, "ps") }).Should(ContainSubstring("sleep 86399"))
		app := n.getPod(session.Status.Debugger.PodName).Spec.Containers[0]
		Expect(app).To(And(HaveField("Name", "app"), HaveField("SecurityContext", (*corev1.SecurityContext)(nil))))
		n.end("sees")
	})
})
