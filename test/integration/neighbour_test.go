package integration

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// There is no kubelet to attach to, so who is let through is told by another error than the policy's.
var _ = Describe("two sessions in one pod", Ordered, func() {
	const denied = "which is not for you"
	node := &kubelet{}

	BeforeAll(func(ctx SpecContext) {
		startOperator(node)
		createAll(ctx, filepath.Join("..", "..", "config", "policy", "debuggers.yaml"))
		DeferCleanup(func(ctx SpecContext) {
			meta := metav1.ObjectMeta{Name: "debugsession-debuggers"}
			Expect(k8s.Delete(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta})).To(Succeed())
			Expect(k8s.Delete(ctx, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: meta})).To(Succeed())
		})
	})

	It("are reached by those whom each is for, and by who may attach to any pod", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "web")
		people := map[string]*person{"alice": newPerson("alice"), "bob": newPerson("bob")}
		sessions := map[string]*v1alpha1.DebugSession{}
		for _, name := range []string{"alice", "bob"} {
			mayEdit(ctx, namespace, name)
			may(ctx, namespace, name, v1alpha1.VerbUse, "standard")
			sessions[name] = newSession(namespace, "of-"+name, "web")
			activeOf(ctx, people[name], node, sessions[name], pod)
		}
		attach := func(who *person, whose string) func() string {
			return func() string {
				return attachError(ctx, who, namespace, "web", sessions[whose].Status.Debugger.ContainerName)
			}
		}
		Eventually(attach(people["bob"], "alice")).Should(ContainSubstring(denied), "the policy takes a moment")
		Expect(attach(people["alice"], "bob")()).To(ContainSubstring(denied))
		Expect(attach(people["alice"], "alice")()).NotTo(ContainSubstring(denied))
		Expect(attach(people["bob"], "bob")()).NotTo(ContainSubstring(denied))
		Expect(attach(newPerson("root", "system:masters"), "alice")()).NotTo(ContainSubstring(denied))
		Expect(attachError(ctx, people["bob"], namespace, "web", "app")).NotTo(ContainSubstring(denied))
	})
})

// attachError is what kubectl says of an attach, which cannot succeed here.
func attachError(_ context.Context, who *person, namespace, pod, container string) string {
	GinkgoHelper()
	_, stderr, err := kubectl(who, "", "attach", "-n", namespace, pod, "-c", container, "--pod-running-timeout=1s")
	Expect(err).To(HaveOccurred())
	Expect(stderr).NotTo(ContainSubstring("cannot"), "the right is there: what else is denied is the policy's")
	return stderr
}
