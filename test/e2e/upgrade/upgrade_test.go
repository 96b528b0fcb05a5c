package upgrade

import (
	"fmt"
	"os"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/internal/admissionpolicy"
	"debugsession.dev/operator/test/e2e/command"
)

const classes = `
apiVersion: debugsession.dev/v1alpha1
kind: DebugClass
metadata: {name: upgrade}
spec: {modes: [EphemeralContainer, PodCopy], profiles: [general], maxTTL: 1h}
---
apiVersion: debugsession.dev/v1alpha1
kind: DebugClass
metadata: {name: upgrade-approved}
spec: {modes: [EphemeralContainer, PodCopy], profiles: [general], maxTTL: 1h, approval: {required: 2, timeout: 30m}}
`

// open asks for a session as alice.
func open(name, class, target, more string) {
	GinkgoHelper()
	openWith("busybox:1.36", name, class, target, more)
}

func openWith(image, name, class, target, more string) {
	GinkgoHelper()
	as("alice", fmt.Sprintf(`
apiVersion: debugsession.dev/v1alpha1
kind: DebugSession
metadata: {name: %s}
spec:
  className: %s
  target: {podName: %s}
  debugger: {image: %q, command: [sh], stdin: true, tty: true}
  ttl: 20m
%s`, name, class, target, image, more), "apply", "-f", "-")
}

// approve approves what a session would make, as its status has it.
func approve(session, user string) {
	GinkgoHelper()
	as(user, fmt.Sprintf("apiVersion: debugsession.dev/v1alpha1\nkind: DebugApproval\nmetadata: {name: %s-%s}\n"+
		"spec: {sessionName: %s, decision: Approve, requestHash: %q}\n", session, user, session, of(session, "{.status.request.hash}")()), "apply", "-f", "-")
}

func pod(name string) {
	GinkgoHelper()
	command.Kubectl("-n", namespace, "run", name, "--image=server:v1", "--grace-period=1")
	command.Kubectl("-n", namespace, "wait", "pod/"+name, "--for=condition=Ready", "--timeout=90s")
}

// end asks for a session's end, and sees that its debugger has gone.
func end(session string) {
	GinkgoHelper()
	as("alice", "", "patch", "debugsession", session, "--type=merge", "-p", `{"spec":{"end":true}}`)
	Eventually(phase(session)).Should(Equal("Ended"))
	Expect(of(session, "{.status.outcome}")()).To(Equal("Terminated"))
	at := strings.Fields(of(session, "{.status.debugger.podName} {.status.debugger.containerName}")())
	running := command.Kubectl("-n", namespace, "get", "pod", at[0], "--ignore-not-found", "-o",
		fmt.Sprintf(`jsonpath={.status.ephemeralContainerStatuses[?(@.name==%q)].state.running}`, at[1]))
	Expect(running).To(BeEmpty())
	Expect(command.Kubectl("-n", namespace, "get", "rolebindings", "-l", "debugsession.dev/session-uid="+of(session, "{.metadata.uid}")(), "-o", "name")).
		To(BeEmpty())
}

// ledBy ends the replica that leads until one of this image does.
func ledBy(image string) {
	GinkgoHelper()
	Eventually(func() string {
		at := leader()
		if at != "" && !strings.HasSuffix(at, image) {
			command.Kubectl("-n", system, "delete", "pod", strings.Fields(at)[0])
		}
		return at
	}).WithPolling(5 * time.Second).Should(HaveSuffix(image))
}

// standing are sessions in each phase that lasts, and how they stand. One that is Pending waits for minutes at most: it has a spec of its own.
var standing = map[string]string{
	"active":      "Active",
	"active-copy": "Active",
	"waiting":     "AwaitingApproval",
	"half":        "AwaitingApproval",
	"starting":    "Starting",
	"ending":      "Ending",
	"ended":       "Ended",
}

func stand() {
	GinkgoHelper()
	for name, phaseIs := range standing {
		Eventually(phase(name)).Should(Equal(phaseIs), name)
	}
}

// account is what must not change when only the operator does. The messages of one that waits may.
func account() map[string]string {
	GinkgoHelper()
	told := map[string]string{}
	for name := range standing {
		told[name] = of(name, "{.status.phase} {.status.outcome} {.status.expiresAt} {.status.debugger.podName}/{.status.debugger.containerName} "+
			"{.status.request.hash} {.status.approvals[*].by}")()
	}
	return told
}

// olderDeployment is the Deployment of the version before, with a name of its own and one replica: it has arguments of its own as well.
func olderDeployment() string {
	GinkgoHelper()
	manifest, err := os.ReadFile(before)
	Expect(err).NotTo(HaveOccurred())
	for doc := range strings.SplitSeq(string(manifest), "\n---\n") {
		if strings.Contains(doc, "\nkind: Deployment\n") {
			return strings.NewReplacer("  name: "+operator+"\n  namespace:", "  name: "+operator+"-older\n  namespace:", "  replicas: 2\n", "  replicas: 1\n").Replace(doc)
		}
	}
	Fail("the manifest of the version before has no Deployment")
	return ""
}

// Each goes on with what the one before has left.
var _ = Describe("sessions", Ordered, func() {
	holder := `[{"op": "add", "path": "/metadata/finalizers", "value": ["example.com/holds"]}]`
	var told map[string]string

	AfterAll(func() {
		for _, held := range strings.Fields(command.Kubectl("-n", namespace, "get", "pods", "-o", "name")) {
			command.Kubectl("-n", namespace, "patch", held, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
		}
	})

	It("are opened under the version before", func() {
		install(before)
		command.Run(classes, "kubectl", "apply", "-f", "-")
		pod("app")
		open("active", "upgrade", "app", "")
		open("active-copy", "upgrade", "app", "  mode: PodCopy\n")
		open("waiting", "upgrade-approved", "app", "")
		open("half", "upgrade-approved", "app", "  mode: PodCopy\n")
		openWith("debugsession/no-such-image:1", "starting", "upgrade", "app", "  mode: PodCopy\n")
		open("ended", "upgrade", "app", "")
		open("ending", "upgrade", "app", "  mode: PodCopy\n")
		for _, name := range []string{"ended", "ending"} {
			Eventually(phase(name)).Should(Equal("Active"))
		}
		end("ended")
		command.Kubectl("-n", namespace, "patch", "pod", of("ending", "{.status.debugger.podName}")(), "--type=json", "-p", holder)
		as("alice", "", "patch", "debugsession", "ending", "--type=merge", "-p", `{"spec":{"end":true}}`)
		for _, name := range []string{"waiting", "half"} {
			Eventually(phase(name)).Should(Equal("AwaitingApproval"))
		}
		approve("half", "bob")
		Eventually(func() string {
			return command.Kubectl("-n", namespace, "get", "debugapproval", "half-bob", "-o", `jsonpath={.status.conditions[?(@.type=="Counted")].status}`)
		}).Should(Equal("True"))
		stand()
		told = account()
	})

	It("stand as before after the upgrade", func() {
		upgrade("an upgrade", now)
		Eventually(leader).Should(ContainSubstring(os.Getenv("IMG")))
		Consistently(account, 5*time.Second, time.Second).Should(Equal(told))

		By("ending the one that waits for minutes at most")
		end("starting")
		standing["starting"] = "Ended"
		told = account()
	})

	// What the webhooks and the policy are is the newer manifest's: the older version does not know that they hold, so it starts nothing.
	It("end while the older of two versions leads, and start once the newer does", func() {
		By("one replica of the version before, ready before there is another manifest, beside one of this")
		install(before)
		open("both-active", "upgrade", "app", "")
		open("both-copy", "upgrade", "app", "  mode: PodCopy\n")
		for _, name := range []string{"both-active", "both-copy"} {
			Eventually(phase(name)).Should(Equal("Active"), name)
		}
		command.Run(olderDeployment(), "kubectl", "create", "-f", "-")
		DeferCleanup(func() { command.Kubectl("-n", system, "delete", "deployment", operator+"-older") })
		command.Kubectl("-n", system, "rollout", "status", "deployment/"+operator+"-older", "--timeout=120s")
		install(now)
		command.Kubectl("-n", system, "scale", "deployment/"+operator, "--replicas=1")
		settled()

		ledBy(older())
		open("both-waits", "upgrade", "app", "")
		open("both-copy-waits", "upgrade", "app", "  mode: PodCopy\n")
		end("both-active")
		end("both-copy")
		for _, name := range []string{"both-waits", "both-copy-waits"} {
			Expect(phase(name)()).To(Equal("Pending"), name)
		}

		ledBy(os.Getenv("IMG"))
		for _, name := range []string{"both-waits", "both-copy-waits"} {
			Eventually(phase(name)).Should(Equal("Active"), name)
			end(name)
		}
		Eventually(account).Should(Equal(told), "those that wait for approvals are Pending meanwhile")
	})

	It("stand as before after a downgrade, and one ends under it", func() {
		open("newer", "upgrade", "app", "")
		Eventually(phase("newer")).Should(Equal("Active"))
		upgrade("a downgrade", before)
		Expect(leader()).To(HaveSuffix("/operator:from"))
		Consistently(account, 5*time.Second, time.Second).Should(Equal(told))
		end("newer")
	})

	It("go on as they would have after another upgrade", func() {
		upgrade("another upgrade", now)
		stand()
		for _, user := range []string{"bob", "carol"} {
			approve("waiting", user)
		}
		approve("half", "carol") // bob's was given under the version before
		command.Kubectl("-n", namespace, "patch", "pod", of("ending", "{.status.debugger.podName}")(), "--type=json", "-p",
			`[{"op": "remove", "path": "/metadata/finalizers"}]`)
		Eventually(phase("ending")).Should(Equal("Ended"))
		for _, name := range []string{"active", "active-copy", "waiting", "half"} {
			Eventually(phase(name)).Should(Equal("Active"), of(name, "{.metadata.name}: {.status.conditions}"))
			end(name)
		}
		Expect(phase("ended")()).To(Equal("Ended"))
	})

	// As when another version brings a policy of another name: nobody vouches by it for what was created before.
	It("wait on for their target under a policy that is younger than they are", func() {
		open("pending", "upgrade", "late", "")
		Eventually(phase("pending")).Should(Equal("Pending"))
		Eventually(of("pending", "{.status.requesterVerifiedAt}")).ShouldNot(BeEmpty())
		policies := []string{"validatingadmissionpolicy/" + admissionpolicy.Name, "validatingadmissionpolicybinding/" + admissionpolicy.Name}
		uids := func() string {
			return command.Kubectl(append([]string{"get", "-o", "jsonpath={.items[*].metadata.uid}"}, policies...)...)
		}
		former := uids()

		command.Kubectl("-n", system, "scale", "deployment/"+operator, "--replicas=0")
		command.Kubectl("-n", system, "wait", "pods", "-l", "control-plane="+operator, "--for=delete", "--timeout=120s")
		command.Kubectl(append([]string{"delete"}, policies...)...)
		install(now)
		Expect(uids()).NotTo(Equal(former))
		Consistently(phase("pending"), 3*time.Second, time.Second).Should(Equal("Pending"))
		pod("late")
		Eventually(phase("pending")).Should(Equal("Active"), of("pending", "{.status.conditions}"))
		end("pending")
	})
})
