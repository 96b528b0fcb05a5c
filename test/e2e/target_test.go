package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

// unready are pods whose containers cannot be joined, for good or yet, each in its own way; and those that are joined or
// copied as soon as they can be.
const unready = `
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec: {containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "exit 3"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: nopull}
spec: {containers: [{name: app, image: "registry.example.com/team/app:nosuch"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: initwait}
spec:
  terminationGracePeriodSeconds: 1
  initContainers: [{name: migrate, image: "busybox:1.36", command: [sleep, "36000"]}]
  containers: [{name: app, image: APP}]
---
apiVersion: v1
kind: Pod
metadata: {name: halfdone}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - {name: app, image: "busybox:1.36", command: ["true"]}
  - {name: helper, image: "busybox:1.36", command: [sleep, "36000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: initdone}
spec:
  initContainers: [{name: migrate, image: "busybox:1.36", command: ["true"]}]
  containers: [{name: app, image: APP}]
---
apiVersion: v1
kind: Pod
metadata: {name: uid-in-spec}
spec: {containers: [{name: app, image: APP, securityContext: {runAsUser: 65532}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: uid-in-image}
spec: {containers: [{name: app, image: APP}]}
`

var _ = Describe("the target's container", func() {
	It("is waited for, with the reason told, and its user with it; one that has finished is not", func() {
		n := newNamespace()
		joins := func(pod, more string) string {
			return "  target: {podName: " + pod + more + "}\n  debugger: {image: \"busybox:1.36\", command: [sh], stdin: true}\n"
		}
		asTarget := func(pod, more string) string {
			return "  target: {podName: " + pod +
				"}\n  debugger: {image: \"busybox:1.36\", command: [sh, -c, 'id; ls $TARGET_ROOT/etc'], runAs: FromTarget}\n" + more
		}
		// As a GitOps tool does it: all at once.
		n.apply(strings.ReplaceAll(unready, "APP", appImage))
		for name, spec := range map[string]string{
			"crash": joins("crash", ""), "nopull": joins("nopull", ""), "initwait": joins("initwait", ""),
			"halfdone": joins("halfdone", ""), "initdone": joins("initdone", ", container: migrate"),
			"uid-in-spec": asTarget("uid-in-spec", ""), "uid-in-image": asTarget("uid-in-image", ""),
			"copy": asTarget("uid-in-image", "  mode: PodCopy\n"), "nopull-copy": asTarget("nopull", "  mode: PodCopy\n"),
		} {
			n.session(name, spec)
		}

		for _, name := range []string{"halfdone", "initdone"} {
			Expect(n.ends(name, v1alpha1.OutcomeTargetGone).Status.Reason).To(Equal(v1alpha1.ReasonTargetFinished))
		}
		for _, name := range []string{"uid-in-spec", "uid-in-image", "copy"} {
			session := n.ends(name, v1alpha1.OutcomeCompleted)
			Expect(session.Status.Debugger.Output).To(ContainSubstring("uid=65532 gid=65532"), name)
		}
		saying := func(name, reason string, words ...string) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				session := n.get(name)
				g.Expect(session.Status.Phase).
					To(BeElementOf(v1alpha1.PhasePending, v1alpha1.PhaseStarting, v1alpha1.PhaseEnding, v1alpha1.PhaseEnded))
				g.Expect(session.Status.Reason).To(Equal(reason))
				for _, word := range words {
					g.Expect(session.Status.Message()).To(ContainSubstring(word))
				}
			}).Should(Succeed())
			for _, word := range words {
				Eventually(n.eventMessages(name, reason)).Should(ContainSubstring(word))
			}
		}
		saying("nopull", v1alpha1.ReasonTargetNotStarted, `container "app" of pod "nopull" has not started: ErrImagePull`)
		saying("nopull-copy", v1alpha1.ReasonTargetNotStarted, "runAs: FromTarget")
		saying("initwait", v1alpha1.ReasonTargetNotStarted, `init container "migrate", which has been running since`)

		By("a container that crashes is named with how it ends, at once or as the debugger joins it")
		Eventually(func(g Gomega) {
			session := n.get("crash")
			message := session.Status.Message()
			g.Expect(session.Status.Reason).To(BeElementOf(v1alpha1.ReasonTargetNotRunning, v1alpha1.ReasonTargetRestarted))
			g.Expect(message).To(And(ContainSubstring(`container "app" of pod "crash"`), ContainSubstring("exit code 3"),
				ContainSubstring("podCopy.quiesce: [{name: app}]")))
			g.Expect(message).NotTo(ContainSubstring("debugger.command"))
		}).Should(Succeed())
		Expect(n.getPod("nopull").Spec.EphemeralContainers).To(BeEmpty(), "nothing was made for what cannot be joined")
	})

	It("ends with all others of its pod, and the debugger with it", func() {
		since(36, "the restart of all containers of a pod")
		n := newNamespace()
		n.podWith(`
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - {name: app, image: "busybox:1.36", command: [sleep, "36000"]}
  - name: watcher
    image: busybox:1.36
    command: [sh, -c, "sleep 12; exit 88"]
    restartPolicy: Never
    restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In, values: [88]}}]
`)
		n.session("joined", "  target: {podName: web, container: app}\n  debugger: {image: \"busybox:1.36\", command: [sh], stdin: true}\n")
		n.session("copied", copyOf)
		joined := n.ends("joined", v1alpha1.OutcomeTargetGone)
		Expect(joined.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByTarget))
		copied := n.ends("copied", v1alpha1.OutcomeFailed)
		Expect(copied.Status.Message()).To(ContainSubstring("all containers of the copy"))
		Expect(copied.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByOther))
	})

	It("may be left by a debugger whose container is removed from the runtime: what is made anew of it is ended", func() {
		ownCluster()
		n := newNamespace()
		n.pod("web")
		n.session("hang", shell)
		n.session("copied", copyOf)
		session, copied := n.reaches("hang", v1alpha1.PhaseActive), n.reaches("copied", v1alpha1.PhaseActive)
		before := n.containerID(session)
		removeContainer(before)
		removeContainer(n.containerID(copied))

		lost := n.ends("copied", v1alpha1.OutcomeTerminated)
		Expect(lost.Status.Reason).To(Equal(v1alpha1.ReasonGone))
		Expect(lost.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByOther))
		ended := n.ends("hang", v1alpha1.OutcomeTerminated)
		Expect(ended.Status.Reason).To(Equal(v1alpha1.ReasonGone))
		Expect(ended.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByOther))
		Expect(n.debuggerState(session).Terminated).NotTo(BeNil())
		Expect(n.containerID(session)).NotTo(Equal(before), "it was made anew")
	})

	It("is not joined by what was never started, and the session says until when that holds up its end", func() {
		n := newNamespace()
		n.pod("web")
		n.session("typo",
			"  target: {podName: web}\n  debugger: {image: \"registry.example.com/tools:nosuch\", command: [sh], stdin: "+
				"true}\n  ttl: 20s\n")
		Eventually(func() string { return n.get("typo").Status.Reason }).Should(Equal("ErrImagePull"))
		n.patch("typo", `{"end":true}`)
		Eventually(func() string { return n.get("typo").Status.Message() }).Should(And(
			ContainSubstring("has not started (ErrImagePull)"),
			ContainSubstring("the session ends at "+n.get("typo").Status.ExpiresAt.UTC().Format(time.RFC3339))))
		n.ends("typo", v1alpha1.OutcomeTerminated)
	})
})

// containerID is what the runtime calls a session's debugger.
func (n namespace) containerID(session *v1alpha1.DebugSession) string {
	GinkgoHelper()
	pod := n.getPod(session.Status.Debugger.PodName)
	for _, status := range slices.Concat(pod.Status.EphemeralContainerStatuses, pod.Status.ContainerStatuses) {
		if status.Name == session.Status.Debugger.ContainerName {
			return strings.TrimPrefix(status.ContainerID, "containerd://")
		}
	}
	return ""
}

// removeContainer has the node's container runtime end a container and forget it, as `crictl rm --force` does: one call of gRPC,
// whose message has the one field 1.
func removeContainer(id string) {
	GinkgoHelper()
	message := append([]byte{0x0a, byte(len(id))}, id...)
	framed := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	socket := filepath.Join(filepath.Dir(manifests), "containerd", "containerd.sock")
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequest(http.MethodPost, "http://containerd/runtime.v1.RuntimeService/RemoveContainer", bytes.NewReader(framed))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	response, err := client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	_, err = new(bytes.Buffer).ReadFrom(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Trailer.Get("Grpc-Status")).To(Equal("0"), response.Trailer.Get("Grpc-Message"))
}
