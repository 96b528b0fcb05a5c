package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

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
  debugger: {image: "sniff:v1", command: [%s]}
`
		capture := sessionManifest("capture", fmt.Sprintf(spec, class, "baseline", app, "sniff, '6'"))
		Expect(alice.refused(n, capture)).To(ContainSubstring(`"alice" may not debug pod "web" in namespace %q`, app))
		app.kubectl("create", "role", "debug", "--verb=patch", "--resource=pods/ephemeralcontainers", "--resource-name=web")
		app.kubectl("create", "rolebinding", "debug-alice", "--role=debug", "--user=alice")

		By("capturing")
		alice.apply(n, capture)
		waiting := n.reaches("capture", v1alpha1.PhaseAwaitingApproval)
		Expect(waiting.Status.Target.PodUID).To(Equal(web.UID))
		Expect(string(waiting.Status.Request.Preview.Raw)).To(ContainSubstring("--pod-uid=" + string(web.UID)))
		bob.apply(n, approvalManifest("bob", "capture", "Approve", ""))
		n.reaches("capture", v1alpha1.PhaseActive)
		Eventually(func() v1alpha1.Phase {
			answer, err := tryKubectl("get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/web:8080/proxy/captured", app))
			GinkgoWriter.Println(answer, err)
			return n.get("capture").Status.Phase
		}).Should(Equal(v1alpha1.PhaseEnded))
		captured := n.ends("capture", v1alpha1.OutcomeCompleted)
		Expect(captured.Status.Debugger.Output).To(And(
			MatchRegexp(`(?m)^eth0 \S+ > %s$`, regexp.QuoteMeta(web.Status.PodIP)), MatchRegexp(`(?m)^eth0 %s > \S+$`, regexp.QuoteMeta(web.Status.PodIP))))

		By("being confined")
		alice.apply(n, sessionManifest("confined", fmt.Sprintf(spec, class, "netadmin", app, "sh, -c, "+strconv.Quote(confined))))
		n.reaches("confined", v1alpha1.PhaseAwaitingApproval)
		bob.apply(n, approvalManifest("bob-confined", "confined", "Approve", ""))
		Expect(n.ends("confined", v1alpha1.OutcomeCompleted).Status.Debugger.Output).To(Equal(strings.Join([]string{
			"CapInh: 0000000000000000", "CapPrm: 0000000000003000", "CapEff: 0000000000003000", "CapBnd: 0000000000003000", "CapAmb: 0000000000000000",
			"NoNewPrivs: 1", "Seccomp: 2", "interfaces lo eth0", "init sh -c", "sees", "no mount", "no user namespace", "no network namespace",
			"no setns", "no device", "no chroot", "no write", "finished",
		}, "\n")))

		By("being attached to, and not executed in")
		screen := alice.opens(n, "dbg", "web", "--pod-namespace="+string(app), "--name=shell", "--class="+class, "--image=sniff:v1", "--profile=netadmin", "-it", "--", "sh")
		Eventually(screen).Should(gbytes.Say("waiting for 1 approval"))
		n.reaches("shell", v1alpha1.PhaseAwaitingApproval)
		bob.apply(n, approvalManifest("bob-shell", "shell", "Approve", ""))
		Eventually(screen).Should(gbytes.Say(prompt))
		screen.types("cut -s -d: -f1 /proc/net/dev | xargs echo has\r")
		Eventually(screen).Should(gbytes.Say("has lo eth0"))
		session := n.reaches("shell", v1alpha1.PhaseActive)
		at := session.Status.Debugger
		_, err := alice.do(n, "", "exec", at.PodName, "-c", at.ContainerName, "--", "true")
		Expect(err).To(MatchError(And(ContainSubstring("forbidden"), ContainSubstring("pods/exec"))))

		By("ending with the pod")
		app.kubectl("delete", "pod", "web", "--wait=false")
		n.ends("shell", v1alpha1.OutcomeTargetGone)
		Expect(n.kubectl("get", "pods", "-o", "name")).To(BeEmpty())
	})
})
