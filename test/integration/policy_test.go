package integration

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

var _ = Describe("the policy by which the API server holds identities", func() {
	It("is written anew, however it is changed", func(ctx SpecContext) {
		forgivePolicy()
		startOperator(&kubelet{})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		wanted, wantedBinding := policy(ctx)
		selector := `{"matchLabels":{"a":"b"}}`
		for _, change := range []struct {
			of    client.Object
			patch string
		}{
			{wanted, `{"spec":{"failurePolicy":"Ignore"}}`},
			{wanted, `{"spec":{"matchConstraints":{"namespaceSelector":` + selector + `}}}`},
			{wanted, `{"spec":{"matchConstraints":{"objectSelector":` + selector + `}}}`},
			{wanted, `{"spec":{"matchConstraints":{"matchPolicy":"Exact"}}}`},
			{
				wanted,
				`{"spec":{"matchConstraints":{"excludeResourceRules":[{"apiGroups":["*"],"apiVersions":["*"],"operations":["CREATE"],` +
					`"resources":["debugsessions"]}]}}}`,
			},
			{
				wanted,
				`{"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":["debugsession.dev"],"apiVersions":["*"],` +
					`"operations":["UPDATE"],"resources":["debugsessions"]}]}}}`,
			},
			{wanted, `{"spec":{"matchConditions":[{"name":"never","expression":"false"}]}}`},
			{wanted, `{"spec":{"paramKind":{"apiVersion":"v1","kind":"ConfigMap"}}}`},
			{wanted, `{"spec":{"validations":[{"expression":"true"}]}}`},
			{wanted, `{"spec":{"auditAnnotations":[{"key":"a","valueExpression":"'b'"}],"validations":null}}`},
			{wantedBinding, `{"spec":{"validationActions":["Audit"]}}`},
			{wantedBinding, `{"spec":{"validationActions":["Warn","Audit"]}}`},
			{wantedBinding, `{"spec":{"matchResources":{"namespaceSelector":` + selector + `}}}`},
			{wantedBinding, `{"spec":{"matchResources":{"objectSelector":` + selector + `}}}`},
			{
				wantedBinding,
				`{"spec":{"matchResources":{"excludeResourceRules":[{"apiGroups":["*"],"apiVersions":["*"],"operations":["*"],` +
					`"resources":["*"]}]}}}`,
			},
			{wantedBinding, `{"spec":{"policyName":"another"}}`},
			{wantedBinding, `{"spec":{"paramRef":{"name":"none","parameterNotFoundAction":"Allow"}}}`},
		} {
			changed := change.of.DeepCopyObject().(client.Object)
			Expect(k8s.Patch(ctx, changed, mergePatch(change.patch))).To(Succeed(), change.patch)
			Eventually(func(g Gomega) {
				now, binding := policy(ctx)
				g.Expect(now.Spec).To(Equal(wanted.Spec))
				g.Expect(binding.Spec).To(Equal(wantedBinding.Spec))
			}).Should(Succeed(), change.patch)
		}
		for _, object := range []client.Object{wanted, wantedBinding} {
			Expect(k8s.Delete(ctx, object.DeepCopyObject().(client.Object))).To(Succeed())
		}
		Eventually(func(g Gomega) {
			now, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{},
				&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(wanted), now)).To(Succeed())
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(wanted), binding)).To(Succeed())
			g.Expect(now.Spec).To(Equal(wanted.Spec))
			g.Expect(binding.Spec).To(Equal(wantedBinding.Spec))
		}).Should(Succeed())
		Eventually(readiness(ctx)).Should(Equal(trusted))
	})

	It("being another, as after an upgrade, refuses nobody whom the operator has verified", func(ctx SpecContext) {
		forgivePolicy()
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		waits := create(ctx, namespace, "waits", fixture.Of("late"))
		reaches(ctx, waits, v1alpha1.PhasePending)
		verified := waits.Status.RequesterVerifiedAt
		Expect(verified).NotTo(BeNil())

		stop()
		former, binding := policy(ctx)
		Expect(k8s.Delete(ctx, former)).To(Succeed())
		Expect(k8s.Delete(ctx, binding)).To(Succeed())
		startOperator(node)
		Eventually(readiness(ctx)).Should(Equal(trusted))
		another, _ := policy(ctx)
		Expect(another.UID).NotTo(Equal(former.UID))
		Expect(time.Now()).To(BeTemporally(">=", another.CreationTimestamp.Add(2*time.Second)), "it is enforced before the operator is ready")
		Expect(another.CreationTimestamp.Time).To(BeTemporally(">=", waits.CreationTimestamp.Time), "nobody vouches by it for what was created then")
		Consistently(phase(ctx, waits)).WithTimeout(500 * time.Millisecond).Should(Equal(v1alpha1.PhasePending))
		injected(ctx, waits, runningPod(ctx, namespace, "late"))
		Expect(waits.Status.RequesterVerifiedAt).To(Equal(verified))
	})

	It("being gone, ends nothing that runs, and keeps nothing from its end", func(ctx SpecContext) {
		forgivePolicy()
		node := &kubelet{}
		startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"))
		now, binding := policy(ctx)
		Expect(k8s.Delete(ctx, now)).To(Succeed())
		Expect(k8s.Delete(ctx, binding)).To(Succeed())
		Consistently(phase(ctx, session)).WithTimeout(300 * time.Millisecond).Should(Equal(v1alpha1.PhaseActive))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	})
})

var _ = Describe("what an administrator adds to the webhooks", func() {
	change := func(ctx context.Context, patch string) {
		GinkgoHelper()
		mutating := configurations(ctx)[0]
		for i, name := range hookNames(mutating) {
			patch = strings.ReplaceAll(patch, "/webhooks/"+strings.TrimSuffix(name, ".debugsession.dev")+"/",
				fmt.Sprintf("/webhooks/%d/", i))
		}
		Expect(k8s.Patch(ctx, mutating, client.RawPatch(types.JSONPatchType, []byte(patch)))).To(Succeed())
	}

	DescribeTable("makes the operator unready where what it leaves out cannot be told", func(ctx SpecContext, patch, says string) {
		restoreWebhooks(ctx)
		startOperator(&kubelet{})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		change(ctx, patch)
		Eventually(readiness(ctx)).Should(ContainSubstring(says))
	},
		Entry("an objectSelector", `[{"op":"add","path":"/webhooks/sessions/objectSelector","value":{"matchLabels":{"a":"b"}}}]`,
			"has an objectSelector (a=b)"),
		Entry("a condition",
			`[{"op":"add","path":"/webhooks/sessions/matchConditions/-","value":{"name":"mine","expression":"request.userInfo.username != `+
				`'mallory'"}}]`,
			`has a matchCondition "mine" that is not the operator's`),
		Entry("a condition in place of ours", `[{"op":"replace","path":"/webhooks/sessions/matchConditions/0/expression","value":"false"}]`,
			"is not the operator's"),
		Entry("another path",
			`[{"op":"add","path":"/webhooks/sessions/clientConfig/url","value":"https://localhost:1/validate/debugclasses"}]`,
			"is called at"),
		Entry("a narrower rule", `[{"op":"replace","path":"/webhooks/sessions/rules/0/scope","value":"Cluster"}]`, "has no rule for"),
	)

	It("starts nothing in a namespace that it leaves out, and the others go on", func(ctx SpecContext) {
		restoreWebhooks(ctx)
		startOperator(&kubelet{})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		system, shop := newNamespace(ctx, map[string]string{"control-plane": "true"}), newNamespace(ctx, nil)
		waiting := newSession(system, "waiting", "web")
		Expect(k8s.Create(ctx, waiting)).To(Succeed())
		reaches(ctx, waiting, v1alpha1.PhasePending)
		const cloud = `{"matchExpressions":[{"key":"control-plane","operator":"DoesNotExist"}]}`
		change(ctx, `[{"op":"add","path":"/webhooks/approvals/namespaceSelector","value":`+cloud+
			`},{"op":"add","path":"/webhooks/sessions/namespaceSelector","value":`+cloud+`}]`)
		Consistently(readiness(ctx)).WithTimeout(300 * time.Millisecond).Should(Equal(trusted))
		Eventually(func() error { return k8s.Create(ctx, newSession(system, "new", "web"), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("its webhooks are not called here")))

		pod := runningPod(ctx, system, "web")
		endsAs(ctx, waiting, v1alpha1.OutcomeRejected, v1alpha1.ReasonNotTrusted)
		Expect(said(waiting)).To(ContainSubstring(
			`MutatingWebhookConfiguration "debugsession" excludes namespace "` + system + `" by its namespaceSelector (!control-plane)`))
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).To(BeEmpty())

		other := newSession(shop, "hang", "web")
		Expect(k8s.Create(ctx, other)).To(Succeed())
		injected(ctx, other, runningPod(ctx, shop, "web"))
	})
})
