package chart

import (
	"os"
	"path"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/test/e2e/command"
)

const (
	shop = "chart-shop"
	// next is the tag that is upgraded to. Nothing has been released yet, so it is the same build.
	next = "next"
)

var _ = BeforeSuite(func() {
	out, err := command.Try("", root+"/bin/cluster", "image-build", "--tag", path.Dir(os.Getenv("IMG"))+"/operator:"+next, root+"/bin/image")
	Expect(err).NotTo(HaveOccurred(), out)
	command.Kubectl("create", "namespace", shop)
	command.Kubectl("-n", shop, "run", "app", "--image=server:v1")
	command.Kubectl("-n", shop, "wait", "pod/app", "--for=condition=Ready", "--timeout=90s")
})

// class is a class of the values.
func class(name, maxTTL, more string) string {
	return "  " + name + ": {spec: {modes: [EphemeralContainer], profiles: [general], maxTTL: " + maxTTL + more + "}}\n"
}

// session is a manifest of one.
func session(name, class string) string {
	return strings.NewReplacer("NAME", name, "CLASS", class).Replace(`
apiVersion: debugsession.dev/v1alpha1
kind: DebugSession
metadata: {name: NAME, namespace: chart-shop}
spec:
  className: CLASS
  target: {podName: app}
  debugger: {image: "busybox:1.36", command: [sh], stdin: true, tty: true}
  ttl: 10m
`)
}

// run starts a session, as kubectl's flags say, and returns what must not change while it runs.
func run(name, class string, as ...string) func() string {
	GinkgoHelper()
	Eventually(func() error { return apply(session(name, class), as...) }).Should(Succeed())
	command.Kubectl("-n", shop, "wait", "debugsession/"+name, "--for=condition=Attachable", "--timeout=60s")
	return func() string {
		return command.Kubectl("-n", shop, "get", "debugsession", name, "-o",
			"jsonpath={.status.phase} {.status.debugger.containerName} {.status.expiresAt} {.status.debugger.state}")
	}
}

func ttlOf(class string) func() string {
	return func() string { return command.Kubectl("get", "debugclass", class, "-o", "jsonpath={.spec.maxTTL}") }
}

// Each goes on with what the one before has left: the CRDs, the classes and the records.
var _ = Describe("the chart", Ordered, func() {
	// Neither the namespace nor the service account is the default one, and the namespace enforces what pods may be.
	BeforeAll(func() {
		command.Kubectl("create", "namespace", "another-namespace")
		command.Kubectl("label", "namespace", "another-namespace", "pod-security.kubernetes.io/enforce=restricted")
	})
	// Nothing listens for traces, which nobody waits for.
	const more = "serviceAccount: {name: another-account}\npolicies: {debuggers: true}\nsinks: {chart: {spec: {urlKey: nowhere}}}\n" +
		"teams: [{name: shop, namespaces: [" + shop + "], users: [shop-users], approvers: [shop-leads], classes: [chart]}]\n" +
		"tracing: {endpoint: 'http://127.0.0.1:4317'}\n"

	for _, binary := range []string{"helm4", "helm3"} {
		It("is installed, upgraded, rolled back and uninstalled around a session, with "+binary, func() {
			h := helm{binary, "a-release", "another-namespace"}
			name := "survives-" + binary

			By("install")
			first := image(built()) + more + "classes:\n" + class("chart", "1h", "")
			out := h.do(first, "install", h.release, chart)
			Expect(out).To(ContainSubstring("helm test " + h.release))
			Expect(ttlOf("chart")()).To(Equal("1h"))
			Expect(h.do("", "test", h.release)).To(ContainSubstring("ok: an approval in another user's name is rejected"))
			Expect(apply(session(name, "chart"), "--as=mallory", "--as-group=other-users")).To(MatchError(ContainSubstring(`resource "debugsessions"`)))
			stays := run(name, "chart", "--as=alice", "--as-group=shop-users")
			before := stays()

			By("upgrade")
			h.do(image(next)+more+"classes:\n"+class("chart", "2h", "")+class("chart-more", "1h", ""), "upgrade", h.release, chart)
			command.Kubectl("-n", h.namespace, "rollout", "status", "deployment/debugsession-operator", "--timeout=120s")
			Expect(ttlOf("chart")()).To(Equal("2h"))
			Expect(ttlOf("chart-more")()).To(Equal("1h"))
			Expect(stays()).To(Equal(before))

			By("upgrade to a class that is wrong")
			out, err := h.try(image(next)+more+"classes:\n"+class("chart", "3h", "")+class("chart-more", "1h",
				", images: [busybox], defaults: {image: bash}"), "upgrade", h.release, chart)
			Expect(err).To(HaveOccurred())
			Expect(out).To(ContainSubstring("is not allowed by spec.images"))
			Expect(ttlOf("chart")()).To(Equal("2h"), "nothing is applied if something is wrong")

			By("rollback")
			h.do("", "rollback", h.release, "1")
			command.Kubectl("-n", h.namespace, "rollout", "status", "deployment/debugsession-operator", "--timeout=120s")
			Expect(ttlOf("chart")()).To(Equal("1h"))
			Expect(gone("debugclass", "chart-more")()).To(BeEmpty())
			Expect(stays()).To(Equal(before))

			By("uninstall while the session runs")
			out, err = h.try("", "uninstall", h.release)
			Expect(err).To(HaveOccurred())
			Expect(out).To(ContainSubstring("kubectl -n " + shop + " patch debugsession " + name))
			Expect(stays()).To(Equal(before))
			command.Kubectl("-n", shop, "patch", "debugsession", name, "--type=merge", "-p", `{"spec":{"end":true}}`)
			command.Kubectl("-n", shop, "wait", "debugsession/"+name, "--for=jsonpath={.status.phase}=Ended", "--timeout=60s")

			By("uninstall")
			uninstalled(h)
			Expect(command.Kubectl("-n", shop, "get", "debugsession", name, "-o", "jsonpath={.status.outcome}")).To(Equal("Terminated"),
				"the record stays")
			Expect(ttlOf("chart")()).To(Equal("1h"), "and so does the class")
		})
	}

	It("takes over what kubectl has installed from the manifest", func() {
		h := helm{"helm4", "debugsession", "debugsession-system"}
		command.Kubectl("apply", "-f", os.Getenv("INSTALL"))
		command.Kubectl("-n", h.namespace, "rollout", "status", "deployment/debugsession-operator", "--timeout=120s")
		stays := run("taken-over", "standard")
		was := stays()
		h.do(image(built()), "install", h.release, chart, "--take-ownership", "--force-conflicts")
		command.Kubectl("-n", h.namespace, "rollout", "status", "deployment/debugsession-operator", "--timeout=120s")
		h.do("", "test", h.release)
		Expect(stays()).To(Equal(was))
		command.Kubectl("-n", shop, "delete", "debugsession", "taken-over", "--timeout=60s")
		uninstalled(h)
	})
})

// uninstalled has the operator go, and looks at what is left.
func uninstalled(h helm) {
	GinkgoHelper()
	h.do("", "uninstall", h.release)
	Eventually(gone("-n", h.namespace, "pods", "-l", "control-plane=debugsession-operator")).Should(BeEmpty())
	const ours = "app.kubernetes.io/part-of=debugsession"
	Expect(
		gone("mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings,"+
			"clusterroles,clusterrolebindings", "-l", ours)()).To(BeEmpty())
	Expect(gone("-n", h.namespace, "all,roles,rolebindings,serviceaccounts,configmaps,jobs", "-l", ours)()).To(BeEmpty())
	Expect(strings.Fields(gone("crds", "-l", ours)())).To(HaveLen(4), "the CRDs stay")
}
