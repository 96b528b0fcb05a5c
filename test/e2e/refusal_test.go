package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a session that cannot be", func() {
	// rejected sees that a session ended as Rejected, and that its condition and its event say why in these words.
	rejected := func(n namespace, name, reason string, words ...string) {
		GinkgoHelper()
		session := n.ends(name, v1alpha1.OutcomeRejected)
		Expect(session.Status.Reason).To(Equal(reason))
		Expect(condition(session, v1alpha1.ConditionAdmissible).Reason).To(Equal(reason))
		for _, word := range words {
			Expect(session.Status.Message()).To(ContainSubstring(word))
			Eventually(n.eventMessages(name, string(v1alpha1.OutcomeRejected))).Should(ContainSubstring(word))
		}
	}

	It("is refused when it is applied if no cluster could run it, and the field is named", func() {
		n := newNamespace()
		for _, bad := range []struct{ spec, field, words string }{
			{"  ttl: 0s", "spec.ttl", "from 10s to 24h"},
			{"  ttl: -5m", "spec.ttl", "from 10s to 24h"},
			{"  ttl: soon", "spec.ttl", "from 10s to 24h"},
			{"  ttl: 87600h", "spec.ttl", "from 10s to 24h"},
			{"  podCopy: {name: x}", "spec.podCopy", "mode: PodCopy"},
			{"  reason: " + strings.Repeat("x", 1025), "spec.reason", "1024"},
		} {
			Expect(n.tryApply(sessionManifest("bad", shell+bad.spec))).
				To(MatchError(And(ContainSubstring(bad.field), ContainSubstring(bad.words))), bad.spec)
		}
		for _, bad := range []struct{ spec, words string }{
			{"  target: {}\n  debugger: {image: busybox}", "exactly one of podName, workload, selector"},
			{"  target: {podName: a, workload: {kind: Deployment, name: b}}\n  debugger: {image: busybox}", "exactly one of"},
			{"  target: {podName: a}\n  debugger: {image: 'busy box'}", "without spaces"},
			{"  target: {podName: a}\n  debugger: {image: busybox, volumeMounts: [{name: v, mountPath: /v, subPath: s}]}", "subPath"},
			{"  target: {podName: a}\n  debugger: {image: busybox, tty: true}", "tty needs stdin"},
			{"  target: {podName: " + strings.Repeat("a", 254) + "}\n  debugger: {image: busybox}", "253"},
		} {
			Expect(n.tryApply(sessionManifest("bad", bad.spec))).To(MatchError(ContainSubstring(bad.words)), bad.spec)
		}
	})

	It("is not changed but in ttl and end", func() {
		n := newNamespace()
		n.session("hang", shell)
		_, err := tryKubectl("-n", string(n), "patch", "dbg", "hang", "--type=merge", "-p", `{"spec":{"target":{"podName":"other"}}}`)
		Expect(err).To(MatchError(ContainSubstring("target cannot be changed")))
	})

	It("names a container or a volume that the pod does not have", func() {
		n := newNamespace()
		n.pod("web")
		n.session("container", `
  target: {podName: web, container: db}
  debugger: {image: "busybox:1.36"}
`)
		n.session("volume", `
  target: {podName: web}
  debugger: {image: "busybox:1.36", volumeMounts: [{name: data, mountPath: /data}]}
`)
		rejected(n, "container", v1alpha1.ReasonContainerNotFound, `no container "db"`, "its containers are app")
		rejected(n, "volume", v1alpha1.ReasonVolumeNotFound, "spec.debugger.volumeMounts[0].name", `no volume "data"`)
	})

	It("is for a pod that has finished", func() {
		n := newNamespace()
		n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {restartPolicy: Never, containers: [{name: app, image: "busybox:1.36", command: ["true"]}]}
`)
		n.kubectl("wait", "pod", "web", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")
		n.session("late", shell)
		rejected(n, "late", v1alpha1.ReasonTargetFinished, "has finished (Succeeded)")
	})

	It("is for a pod that is being deleted", func() {
		n := newNamespace()
		n.podWith(`
  terminationGracePeriodSeconds: 20
  containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"]}]
`)
		n.kubectl("delete", "pod", "web", "--wait=false")
		n.session("late", shell)
		rejected(n, "late", v1alpha1.ReasonTargetTerminating, "is being deleted")
		n.kubectl("delete", "pod", "web", "--force", "--grace-period=0")
	})

	It("is for a static pod", func() {
		ownCluster()
		n := newNamespace()
		file := filepath.Join(manifests, string(n)+".yaml")
		DeferCleanup(os.Remove, file)
		Expect(os.WriteFile(file, []byte(`
apiVersion: v1
kind: Pod
metadata: {name: static, namespace: `+string(n)+`}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: app, image: "`+appImage+`"}]}
`), 0o600)).To(Succeed())
		Eventually(func() error { _, err := tryKubectl("-n", string(n), "get", "pod", "static-node"); return err }).Should(Succeed())
		n.session("static", `
  target: {podName: static-node}
  debugger: {image: "busybox:1.36"}
`)
		n.session("static-copy", `
  target: {podName: static-node}
  mode: PodCopy
  podCopy: {keep: [Annotations]}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true}
`)
		rejected(n, "static", v1alpha1.ReasonTargetIsMirrorPod, "static pod", "mode: PodCopy")
		n.reaches("static-copy", v1alpha1.PhaseActive)
		n.end("static-copy")
	})

	It("violates the namespace's Pod Security level, and the API server's words say how", func() {
		n := newNamespace("pod-security.kubernetes.io/enforce=restricted")
		n.restrictedPod()
		n.session("general", shell)
		n.session("copy", copyOf)
		rejected(n, "general", v1alpha1.ReasonRefused, `violates PodSecurity "restricted:latest"`, "SYS_PTRACE", "profile: restricted")
		rejected(n, "copy", v1alpha1.ReasonRefused, `violates PodSecurity "restricted:latest"`)
		Expect(n.getPod("web").Spec.EphemeralContainers).To(BeEmpty())

		n.session("restricted", shell+"  profile: restricted\n")
		Expect(n.exec(n.reaches("restricted", v1alpha1.PhaseActive), "id", "-u")).NotTo(Equal("0\n"))
	})

	It("exceeds the namespace's quota", func() {
		n := newNamespace()
		n.pod("web")
		n.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: full}, spec: {hard: {pods: "1"}}}`)
		n.kubectl("wait", "resourcequota", "full", "--for=jsonpath={.status.used.pods}=1", "--timeout=30s")
		n.session("copy", copyOf)
		rejected(n, "copy", v1alpha1.ReasonRefused, "exceeded quota: full", "debugger.resources")
	})

	It("comes after its notAfter, and starts nothing", func() {
		n := newNamespace()
		n.pod("web")
		n.session("late", shell+"  notAfter: '2026-01-01T00:00:00Z'\n")
		n.ends("late", v1alpha1.OutcomeExpired)
		Expect(n.getPod("web").Spec.EphemeralContainers).To(BeEmpty())
	})
})

var _ = Describe("a debugger that cannot start", func() {
	It("has an image that cannot be pulled, and the session says so in the registry's words", func() {
		n := newNamespace()
		n.pod("web")
		const noSuchImage = `debugger: {image: "nowhere.example/no/such:tag"}`
		n.session("hang", "  target: {podName: web}\n  ttl: 20s\n  "+noSuchImage)
		n.session("copy", "  target: {podName: web}\n  mode: PodCopy\n  ttl: 20s\n  "+noSuchImage)
		for _, name := range []string{"hang", "copy"} {
			Eventually(func() string { return n.get(name).Status.Reason }).Should(Equal("ErrImagePull"))
			session := n.get(name)
			Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseStarting))
			message := session.Status.Message()
			Expect(message).To(And(ContainSubstring("nowhere.example/no/such:tag"), ContainSubstring("not found"),
				ContainSubstring("check the image name")))
			Eventually(n.eventMessages(name, "ErrImagePull")).Should(ContainSubstring("not found"))
		}
		for _, name := range []string{"hang", "copy"} {
			session := n.ends(name, v1alpha1.OutcomeNotStarted)
			Expect(session.Status.Reason).To(Equal("ErrImagePull"))
			Expect(session.Status.EndedAt.Sub(session.Status.ExpiresAt.Time)).To(BeNumerically("<", 10*time.Second))
			Expect(session.Status.Message()).To(And(ContainSubstring("the debugger never ran"), ContainSubstring("not found")))
			Expect(condition(session, v1alpha1.ConditionReady).Status).To(Equal(metav1.ConditionFalse))
		}
	})

	It("has a Secret to be pulled with that there is not: the kubelet goes on without, and the session names it if that fails", func() {
		n := newNamespace()
		n.pod("web")
		const copied = "  className: e2e-everything\n  target: {podName: web}\n  mode: PodCopy\n  ttl: 20s\n  imagePullSecrets: [{name: tools}]\n"
		n.session("runs", copied+`  debugger: {image: "busybox:1.36", command: [sh], stdin: true}`)
		n.session("stuck", copied+`  debugger: {image: "nowhere.example/no/such:tag"}`)
		session := n.reaches("runs", v1alpha1.PhaseActive)
		Expect(n.getPod(session.Status.Debugger.PodName).Spec.ImagePullSecrets).To(ContainElement(HaveField("Name", "tools")))
		Eventually(func() string { return n.get("stuck").Status.Message() }).
			Should(ContainSubstring(`each Secret of spec.imagePullSecrets ("tools") exists in the namespace`))
		n.ends("stuck", v1alpha1.OutcomeNotStarted)
		n.ends("runs", v1alpha1.OutcomeExpired)
	})

	It("has a command that its image lacks", func() {
		n := newNamespace()
		n.pod("web")
		const noSuchCommand = `debugger: {image: "busybox:1.36", command: [/no/such/program]}`
		n.session("hang", "  target: {podName: web}\n  "+noSuchCommand)
		n.session("copy", "  target: {podName: web}\n  mode: PodCopy\n  "+noSuchCommand)
		for _, name := range []string{"hang", "copy"} {
			session := n.ends(name, v1alpha1.OutcomeNotStarted)
			Expect(session.Status.Message()).To(ContainSubstring("/no/such/program"))
			Expect(condition(session, v1alpha1.ConditionStalled).Reason).To(Equal(session.Status.Reason))
		}
	})

	It("has an image without the shell that is to end it", func() {
		n := newNamespace()
		n.pod("web")
		n.session("hang", "  target: {podName: web}\n  debugger: {image: \""+appImage+"\", command: [/server]}")
		session := n.ends("hang", v1alpha1.OutcomeNotStarted)
		Expect(session.Status.Message()).To(And(ContainSubstring(`"sh"`), ContainSubstring("shell")))
	})
})
