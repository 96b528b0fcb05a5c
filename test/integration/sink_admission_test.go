package integration

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/notify"
)

var _ = Describe("a sink, of admission", func() {
	var to *endpoint
	var namespace string
	var registry *prometheus.Registry
	only := func(of v1alpha1.NotificationType) func(*v1alpha1.DebugSink) {
		return func(s *v1alpha1.DebugSink) { s.Spec.Types = []v1alpha1.NotificationType{of} }
	}

	BeforeEach(func(ctx SpecContext) {
		registry = prometheus.NewRegistry()
		forgivePolicy()
		startOperator(&kubelet{}, measuring(registry))
		createAnything(ctx)
		namespace, to = newNamespace(ctx, nil), newEndpoint()
	})

	It("hears who tried what, of each user no more than a few, and of the others none the less", func(ctx SpecContext) {
		to.answers(hangs) // nothing leaves the queue
		sink := newSink(ctx, namespace, to, only(v1alpha1.NotifyRefused))
		served(ctx, sink)
		mallory, bob := newPerson("mallory-of-"+namespace), newPerson("bob-of-"+namespace)
		for _, user := range []string{"mallory-of-" + namespace, "bob-of-" + namespace} {
			mayEdit(ctx, namespace, user)
		}
		session := newSession(namespace, "dry", "web")
		session.Spec.ClassName = anything
		refusal(mallory.Create(ctx, session, client.DryRunAll))
		for i := range 50 {
			session := newSession(namespace, fmt.Sprint("hang-", i), "web")
			session.Spec.ClassName = anything
			refusal(mallory.Create(ctx, session))
		}
		session = newSession(namespace, "bobs", "web")
		session.Spec.ClassName = anything
		refusal(bob.Create(ctx, session))
		Expect(measured(registry, "debugsession_refusals_suppressed_total")()).To(BeNumerically(">=", 46))

		to.answers(nil)
		heard := func() []*notify.Refusal {
			var refusals []*notify.Refusal
			for _, event := range to.events("") {
				Expect(event.Type).To(Equal("dev.debugsession.admission.refused.v1"))
				refusals = append(refusals, event.Data.Refusal)
			}
			return refusals
		}
		Eventually(heard).Should(HaveLen(4))
		refusals := heard()
		Expect(refusals[0]).To(And(HaveField("User", "mallory-of-"+namespace), HaveField("Name", "hang-0"), HaveField("Class", anything),
			HaveField("Kind", "DebugSession"), HaveField("Namespace", namespace),
			HaveField("Message", ContainSubstring("may not use class"))))
		Expect(refusals[3].User).To(Equal("bob-of-" + namespace))
	})

	It("hears that the policy and the webhooks were tampered with", func(ctx SpecContext) {
		Eventually(readiness(ctx)).Should(Equal(trusted))
		served(ctx, newSink(ctx, namespace, to, only(v1alpha1.NotifyTampered)))
		policy, _ := policy(ctx)
		Expect(k8s.Patch(ctx, policy, mergePatch(`{"spec":{"failurePolicy":"Ignore"}}`))).To(Succeed())
		hears := func(kind, message string) {
			GinkgoHelper()
			Eventually(func() []cloudEvent { return to.events("") }).Should(ContainElement(And(
				HaveField("Type", "dev.debugsession.admission.tampered.v1"),
				HaveField("Data.Tampering", HaveValue(And(HaveField("Kind", kind), HaveField("Message", ContainSubstring(message))))))))
		}
		hears("ValidatingAdmissionPolicy", "it was changed")
		Eventually(func() *admissionregistrationv1.FailurePolicyType { // the next specs need it, and not later than they think
			refreshed(ctx, Default, policy)
			return policy.Spec.FailurePolicy
		}).Should(HaveValue(Equal(admissionregistrationv1.Fail)))

		hooks := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "debugsession"}}
		refreshed(ctx, Default, hooks)
		base := hooks.DeepCopy()
		ignore := admissionregistrationv1.Ignore
		hooks.Webhooks[0].FailurePolicy = &ignore
		DeferCleanup(func(ctx SpecContext) {
			refreshed(ctx, Default, hooks)
			now := hooks.DeepCopy()
			hooks.Webhooks[0].FailurePolicy = base.Webhooks[0].FailurePolicy
			Expect(k8s.Patch(ctx, hooks, client.MergeFrom(now))).To(Succeed())
		})
		Expect(k8s.Patch(ctx, hooks, client.MergeFrom(base))).To(Succeed())
		hears("ValidatingWebhookConfiguration", "does not have failurePolicy Fail")
	})
})
