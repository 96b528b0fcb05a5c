package e2e

import (
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a copy that its target is in the way of", func() {
	// replacing is a class that allows to delete targets.
	replacing := func(n namespace) string {
		return "  className: " +
			n.class("  modes: [PodCopy]\n  profiles: [general]\n  maxTTL: 10m\n  allowReplace: true\n  allowVolumes: true\n")
	}
	readyMessage := func(n namespace, session string) func() string {
		return func() string { return n.get(session).Status.Message() }
	}
	stays := func(n namespace) {
		GinkgoHelper()
		Expect(n.getPod("web").DeletionTimestamp).To(BeNil())
		Expect(n.get("copy").Status.Target.ReplacedAt).To(BeNil())
		n.kubectl("delete", "dbg", "copy", "--timeout=30s")
	}

	It("says so, and takes its place where it is told to", func() {
		n := newNamespace()
		class := replacing(n)
		n.podWith(`
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "` + appImage + `", ports: [{containerPort: 8080, hostPort: 18080}]}]
`)
		original := n.getPod("web").UID
		n.session("copy", class+copyOf)
		Eventually(readyMessage(n, "copy")).
			Should(And(ContainSubstring("free ports"), ContainSubstring("podCopy.replaceOriginal to free it")))
		Expect(n.get("copy").Status.Reason).To(Equal(v1alpha1.ReasonUnschedulable))
		stays(n)

		n.session("copy", class+copyOf+"  podCopy: {name: web-copy, replaceOriginal: IfUncontrolled}\n")
		session := n.reaches("copy", v1alpha1.PhaseActive)
		Expect(session.Status.Target.ReplacedAt).NotTo(BeNil())
		Eventually(n.eventMessages("copy", v1alpha1.ReasonReplaced)).Should(ContainSubstring(string(original)))
		n.gone("pod", "web")
		Expect(n.getPod("web-copy").Spec.Containers[0].Ports[0].HostPort).To(BeEquivalentTo(18080))
	})

	It("says what else is in its way, and what helps", func() {
		n := newNamespace()
		n.apply(strings.NewReplacer("NAMESPACE", string(n), "IMAGE", appImage).Replace(obstacles))
		DeferCleanup(func() {
			_, _ = tryKubectl("delete", "pv", string(n), "--wait=false", "--ignore-not-found")
			_ = os.Remove("/tmp/" + string(n))
		})
		n.ready("claims", "alone")
		copyOfPod := func(target string) string {
			return "\n  target: {podName: " + target +
				"}\n  mode: PodCopy\n  debugger: {image: \"busybox:1.36\", command: [sh], stdin: true}\n"
		}
		for target, words := range map[string]string{
			"claims": "the target holds a volume that only one pod may use: set podCopy.replaceOriginal to free it",
			"alone":  "keep the copy away: set podCopy.sameNode to place it on the target's node",
			"gated":  "the copy has the target's scheduling gates: have them removed by whoever set them",
		} {
			n.session(target, copyOfPod(target))
			Eventually(readyMessage(n, target)).Should(ContainSubstring(words), target)
		}
		n.session("beside", copyOfPod("alone")+"  podCopy: {sameNode: true}\n")
		n.reaches("beside", v1alpha1.PhaseActive)
	})

	It("is refused before anybody is asked to approve it, if Kubernetes would refuse it", func() {
		n, class, alice, _ := production(productionClass)
		n.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: full}, spec: {hard: {pods: "1"}}}`)
		n.kubectl("wait", "resourcequota", "full", "--for=jsonpath={.status.used.pods}=1", "--timeout=30s")
		for name, test := range map[string]struct{ more, says string }{
			"crowded": {"", "exceeded quota: full"},
			"misspelt": {
				"  podCopy: {quiesce: [{name: ap}]}\n",
				`spec.podCopy.quiesce[0].name: pod web has no container or init container "ap": use one of app`,
			},
		} {
			alice.apply(n, sessionManifest(name, "\n  className: "+class+"\n  reason: INC-7"+copyOf+test.more))
			session := n.ends(name, v1alpha1.OutcomeRejected)
			Expect(session.Status.Message()).To(ContainSubstring(test.says))
			Expect(session.Status.Request).To(BeNil())
		}
	})

	It("leaves its target where the copy would not run either", func() {
		n := newNamespace()
		class := replacing(n)
		n.pod("web")
		n.session("copy", class+`
  target: {podName: web}
  mode: PodCopy
  podCopy: {replaceOriginal: Always, containers: [{name: app, image: "nowhere.example/no/such:tag"}]}
`)
		Eventually(func() string { return n.get("copy").Status.Reason }).Should(Equal("ErrImagePull"))
		stays(n)

		node := n.getPod("web").Spec.NodeName
		n.kubectl("delete", "pod", "web")
		DeferCleanup(func() { _, _ = tryKubectl("label", "node", node, "e2e-disk-") })
		kubectl("label", "node", node, "e2e-disk=ssd")
		n.podWith(`
  nodeSelector: {e2e-disk: ssd}
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "` + appImage + `"}]
`)
		kubectl("label", "node", node, "e2e-disk-")
		n.session("copy", class+copyOf+"  podCopy: {replaceOriginal: Always}\n")
		Eventually(readyMessage(n, "copy")).
			Should(And(ContainSubstring("node affinity/selector"), ContainSubstring("needs a node that accepts it")))
		stays(n)
	})

	It("does not touch a pod that is made again, unless one says so", func() {
		n := newNamespace()
		class := replacing(n)
		n.apply(strings.ReplaceAll(webDeployment, "IMAGE", appImage))
		n.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
		const ofWorkload = `
  target: {workload: {kind: Deployment, name: web}}
  mode: PodCopy
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`
		n.session("careful", class+ofWorkload+"  podCopy: {replaceOriginal: IfUncontrolled}\n")
		session := n.ends("careful", v1alpha1.OutcomeRejected)
		Expect(session.Status.Message()).To(And(
			HavePrefix("spec.podCopy.replaceOriginal: "), ContainSubstring("controlled by ReplicaSet"), ContainSubstring("set it to Always")))
		original := session.Status.Target.PodName
		Expect(n.getPod(original).DeletionTimestamp).To(BeNil())

		n.session("told", class+ofWorkload+"  podCopy: {replaceOriginal: Always}\n")
		session = n.reaches("told", v1alpha1.PhaseActive)
		Expect(session.Status.Target.PodName).To(Equal(original))
		n.gone("pod", original)
		n.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
		Expect(n.get("told").Status.Phase).To(Equal(v1alpha1.PhaseActive))
	})
})

// obstacles are pods whose copies Kubernetes would keep waiting, each for a reason of its own.
const obstacles = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE}
spec:
  capacity: {storage: 1Mi}
  accessModes: [ReadWriteOncePod]
  hostPath: {path: /tmp/NAMESPACE, type: DirectoryOrCreate}
  claimRef: {namespace: NAMESPACE, name: data}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOncePod], storageClassName: "", volumeName: NAMESPACE, resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: claims}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: IMAGE, volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: Pod
metadata: {name: alone, labels: {app: alone}}
spec:
  terminationGracePeriodSeconds: 1
  affinity:
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: alone}}}
  containers: [{name: app, image: IMAGE}]
---
apiVersion: v1
kind: Pod
metadata: {name: gated}
spec:
  schedulingGates: [{name: example.com/quota}]
  containers: [{name: app, image: IMAGE}]
`
