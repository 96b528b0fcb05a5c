package k9s

import (
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/test/e2e/command"
)

const (
	shop  = "k9s-shop"
	class = "k9s-approved"
)

var _ = BeforeSuite(func() {
	_, err := command.Try("", "tmux", "-V")
	Expect(err).NotTo(HaveOccurred(), "k9s runs in a terminal of tmux: install it")
	command.Kubectl("apply", "-f", os.Getenv("INSTALL"))
	command.Kubectl("-n", "debugsession-system", "rollout", "status", "deployment/debugsession-operator", "--timeout=90s")
	command.Kubectl("wait", "--for=create", "debugclass/standard", "--timeout=60s")
	command.Kubectl("create", "namespace", shop)
	DeferCleanup(func() { command.Kubectl("delete", "namespace", shop, "--timeout=90s") })
	manifest := strings.NewReplacer("SHOP", shop, "CLASS", class).Replace(`
apiVersion: debugsession.dev/v1alpha1
kind: DebugClass
metadata: {name: CLASS}
spec:
  modes: [EphemeralContainer]
  profiles: [general]
  maxTTL: 1h
  defaults: {image: "busybox:1.36"}
  approval: {required: 1}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: CLASS}
rules:
- {apiGroups: [debugsession.dev], resources: [debugclasses], resourceNames: [standard, CLASS], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: CLASS-approver}
rules:
- {apiGroups: [debugsession.dev], resources: [debugclasses], resourceNames: [CLASS], verbs: [approve]}
`)
	Eventually(func() error { _, err := command.Try(manifest, "kubectl", "apply", "-f", "-"); return err }).Should(Succeed())
	DeferCleanup(func() { command.Run(manifest, "kubectl", "delete", "-f", "-") })
	for user, role := range map[string]string{"alice": class, "bob": class + "-approver"} {
		command.Kubectl("-n", shop, "create", "rolebinding", "edit-"+user, "--clusterrole=edit", "--user="+user)
		command.Kubectl("-n", shop, "create", "rolebinding", "class-"+user, "--clusterrole="+role, "--user="+user)
	}
	command.Kubectl("-n", shop, "create", "deployment", "web", "--image=server:v1")
	command.Kubectl("-n", shop, "rollout", "status", "deployment/web", "--timeout=60s")
})

// leaves ends a debugger by exit, and is back in k9s.
func (k k9s) leaves(title string) {
	GinkgoHelper()
	k.types("exit", "Enter")
	k.shows(title)
}

func status(session, field string) func() string {
	return func() string {
		return command.Kubectl("-n", shop, "get", "debugsession", session, "-o", "jsonpath={.status."+field+"}")
	}
}

// asks has alice apply a session.
func asks(name, class string) {
	GinkgoHelper()
	command.Run(strings.NewReplacer("NAME", name, "CLASS", class).Replace(`
apiVersion: debugsession.dev/v1alpha1
kind: DebugSession
metadata: {name: NAME}
spec:
  className: CLASS
  reason: the basket is empty
  target: {selector: {matchLabels: {app: web}}}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true, tty: true}
`), "kubectl", "--kubeconfig", command.Kubeconfig("alice"), "-n", shop, "apply", "-f", "-")
}

var _ = Describe("k9s", func() {
	const prompt = "/ #"

	It("opens a debugger from pods, containers and workloads, and comes back", func() {
		k := opens("alice", shop, "pods")
		k.types("B")
		k.shows(prompt)
		k.leaves("pods(" + shop + ")")
		k.types("Y")
		k.shows("a copy of web-")
		k.shows(prompt)
		k.leaves("pods(" + shop + ")")
		k.types("Enter")
		k.shows("containers(" + shop + "/web-")
		k.selects("server")
		k.types("B")
		k.shows(prompt)
		k.leaves("containers(" + shop + "/web-")
		k.goes("deploy", "deployments("+shop+")")
		k.types("B")
		k.shows(prompt)
		k.leaves("deployments(" + shop + ")")
	})

	It("approves, attaches, tells and ends", func() {
		asks("hang", class)
		Eventually(status("hang", "reason")).Should(Equal("AwaitingApproval"))
		approver := opens("bob", shop, "debugsessions")
		approver.selects("hang")
		approver.types("O")
		approver.shows("the basket is empty")
		approver.types("y", "Enter")
		Eventually(status("hang", "phase")).Should(Equal("Active"))

		k := opens("alice", shop, "debugsessions")
		k.selects("hang")
		k.types("a")
		k.types("Enter")
		k.shows(prompt)
		k.types("C-p", "C-q")
		k.shows("debugsessions(" + shop + ")")
		k.types("D")
		k.shows("bob approved")
		k.types("Enter")
		k.shows("debugsessions(" + shop + ")")
		k.types("E")
		k.shows("OK")
		k.types("Tab", "Enter")
		Eventually(status("hang", "outcome")).Should(Equal("Terminated"))
	})

	It("extends, and shows until when", func() {
		asks("longer", "standard")
		Eventually(status("longer", "phase")).Should(Equal("Active"))
		until := status("longer", "expiresAt")()
		k := opens("alice", shop, "debugsessions")
		k.selects("longer")
		k.types("X")
		Eventually(status("longer", "expiresAt")).ShouldNot(Equal(until))
		k.shows(status("longer", "expiresAt")())
	})
})
