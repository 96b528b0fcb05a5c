package e2e

import (
	"fmt"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

// confined prints what a debugger in a pod's network has, and says no to each thing that it cannot do.
const confined = `exec 2>/dev/null
grep -E "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):" /proc/self/status | tr "\t" " "
echo interfaces $(cut -s -d: -f1 /proc/net/dev)
echo init $(tr "\0" " " </proc/1/cmdline | head -c 5)
echo sees $(ls /debugsession/node-processes)
mount -t tmpfs none /mnt || echo no mount
unshare -U true || echo no user namespace
unshare -n true || echo no network namespace
nsenter -t 1 -n true || echo no setns
mknod /tmp/disk b 8 0 || echo no device
chroot / true || echo no chroot
touch /debugsession/manager || echo no write
echo finished`

var _ = Describe("a debugger in a pod's network", func() {
	It("captures in a restricted namespace, once approved, sees nothing else of the node, and cannot be executed in", func() {
		app := newNamespace("pod-security.kubernetes.io/enforce=restricted")
		app.restrictedPod()
		web := app.getPod("web")
		n := newNamespace("pod-security.kubernetes.io/enforce=privileged")
		class := n.class(fmt.Sprintf(`
  modes: [Node]
  nodeNamespace: %s
  profiles: [baseline, netadmin]
  podNetworks: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}}
  images: [sniff]
  maxTTL: 10m
  approval: {required: 1}
`, n, app))
		for _, who := range []string{"--user=alice", "--user=bob"} {
			n.edits(who)
		}
		kubectl("-n", string(n), "delete", "rolebinding", "edit-useralice") // who may edit a namespace of node debuggers may execute in each
		n.kubectl("create", "role", "sessions", "--verb=get,list,watch,create,patch", "--resource=debugsessions.debugsession.dev")
		n.kubectl("create", "rolebinding", "sessions-alice", "--role=sessions", "--user=alice")
		n.may("use", class, "--user=alice")
		n.may("approve", class, "--user=bob")
		alice, bob := user("alice"), user("bob")

		const spec = `
  className: %s
  mode: Node
  profile: %s
  target: {podName: web, podNamespace: %s}
  debugger: {image: "sniff:v1", command: [%s], stdin: %t}
`
		capture := sessionManifest("capture", fmt.Sprintf(spec, class, "baseline", app, "sniff, '6'", false))
		Expect(alice.refused(n, capture)).To(ContainSubstring(`"alice" may not debug pod "web" in namespace %q`, app))
		app.kubectl("create", "role", "debug", "--verb=patch", "--resource=pods/ephemeralcontainers", "--resource-name=web")
		app.kubectl("create", "rolebinding", "debug-alice", "--role=debug", "--user=alice")

		By("capturing")
		alice.apply(n, capture)
		waiting := n.reaches("capture", v1alpha1.PhaseAwaitingApproval)
		Expect(waiting.Status.Target.PodUID).To(Equal(web.UID))
		Expect(string(waiting.Status.Request.Preview.Raw)).To(ContainSubstring("--pod-uid=" + string(web.UID)))
		bob.apply(n, approvalManifest("bob", "capture", "Approve", ""))
		capturing := n.reaches("capture", v1alpha1.PhaseActive)
		client := newNamespace()
		client.apply("apiVersion: v1\nkind: Pod\nmetadata: {name: client}\nspec: {terminationGracePeriodSeconds: 1, containers: [{name: app, image: 'busybox:1.36', command: [sleep, '600']}]}\n")
		client.ready("client")
		Eventually(func() v1alpha1.Phase {
			answer, err := tryKubectl("-n", string(client), "exec", "client", "--", "wget", "-qO-", "-T2", "http://"+web.Status.PodIP+":8080/captured")
			log, _ := tryKubectl("-n", string(n), "logs", capturing.Status.Debugger.PodName)
			GinkgoWriter.Println(answer, err, log)
			return n.get("capture").Status.Phase
		}).Should(Equal(v1alpha1.PhaseEnded))
		captured := n.ends("capture", v1alpha1.OutcomeCompleted)
		from := client.getPod("client").Status.PodIP
		Expect(captured.Status.Debugger.Output).To(And(
			ContainSubstring("eth0 %s > %s", from, web.Status.PodIP), ContainSubstring("eth0 %s > %s", web.Status.PodIP, from)))

		By("being confined")
		alice.apply(n, sessionManifest("confined", fmt.Sprintf(spec, class, "netadmin", app, "sh, -c, "+strconv.Quote(confined), false)))
		n.reaches("confined", v1alpha1.PhaseAwaitingApproval)
		bob.apply(n, approvalManifest("bob-confined", "confined", "Approve", ""))
		Expect(n.ends("confined", v1alpha1.OutcomeCompleted).Status.Debugger.Output).To(Equal(strings.Join([]string{
			"CapInh: 0000000000000000", "CapPrm: 0000000000003000", "CapEff: 0000000000003000", "CapBnd: 0000000000003000", "CapAmb: 0000000000000000",
			"NoNewPrivs: 1", "Seccomp: 2", "interfaces lo eth0", "init sh -c", "sees", "no mount", "no user namespace", "no network namespace",
			"no setns", "no device", "no chroot", "no write", "finished",
		}, "\n")))

		By("being attached to, and not executed in")
		alice.apply(n, sessionManifest("shell", fmt.Sprintf(spec, class, "netadmin", app, "sh", true)))
		n.reaches("shell", v1alpha1.PhaseAwaitingApproval)
		bob.apply(n, approvalManifest("bob-shell", "shell", "Approve", ""))
		session := n.reaches("shell", v1alpha1.PhaseActive)
		at := session.Status.Debugger
		attachAs(alice, n, session)
		_, err := alice.do(n, "", "exec", at.PodName, "-c", at.ContainerName, "--", "true")
		Expect(err).To(MatchError(And(ContainSubstring("forbidden"), ContainSubstring("pods/exec"))))

		By("ending with the pod")
		app.kubectl("delete", "pod", "web", "--wait=false")
		n.ends("shell", v1alpha1.OutcomeTargetGone)
		Expect(n.kubectl("get", "pods", "-o", "name")).To(BeEmpty())
	})
})
