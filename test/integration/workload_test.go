package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// rollouts is a kind that the operator may not read, with a scale subresource that it may.
const rollouts = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
        properties:
          spec: {type: object, properties: {replicas: {type: integer}}}
          status: {type: object, properties: {replicas: {type: integer}, selector: {type: string}}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
`

// object reads a manifest.
func object(manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	o := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(manifest), &o.Object)).To(Succeed())
	return o
}

var _ = Describe("a workload of any kind", Ordered, ContinueOnFailure, func() {
	var namespace string
	labels := map[string]string{"app": "shop"}

	BeforeAll(func(ctx SpecContext) {
		definition := object(rollouts)
		Expect(k8s.Create(ctx, definition)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, definition)).To(Succeed()) })
		Eventually(func() error {
			return k8s.Create(ctx,
				object(`{apiVersion: example.com/v1, kind: Rollout, metadata: {name: first, namespace: default}, spec: {replicas: 1}}`))
		}).Should(Succeed())
		startOperator(&kubelet{})
		createAnything(ctx)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	of := func(apiVersion, kind string) fixture.SessionOption {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.Target = v1alpha1.Target{Workload: &v1alpha1.Workload{APIVersion: apiVersion, Kind: kind, Name: "shop"}}
		}
	}
	made := func(ctx context.Context, manifest string) *unstructured.Unstructured {
		GinkgoHelper()
		o := object(manifest)
		o.SetNamespace(namespace)
		Expect(k8s.Create(ctx, o)).To(Succeed())
		return o
	}
	rollout := func(ctx context.Context, selector string) {
		GinkgoHelper()
		o := made(ctx, `{apiVersion: example.com/v1, kind: Rollout, metadata: {name: shop}, spec: {replicas: 1}}`)
		Expect(unstructured.SetNestedField(o.Object, selector, "status", "selector")).To(Succeed())
		Expect(k8s.Status().Update(ctx, o)).To(Succeed())
	}

	It("has its pods found by the scale subresource, though the operator may not read the kind", func(ctx SpecContext) {
		rollout(ctx, "app=shop,tier notin (cache)")
		runningPod(ctx, namespace, "other")
		pod := runningPod(ctx, namespace, "shop-0", func(p *corev1.Pod) { p.Labels = labels })
		session := create(ctx, namespace, "hang", of("example.com/v1", "Rollout"))
		injected(ctx, session, pod)
		Expect(session.Status.Target.Choice).To(ContainSubstring("shop-0 of 1 pods"))
	})

	It("may be a ReplicaSet or a ReplicationController", func(ctx SpecContext) {
		const template = `template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: app, image: "app:1"}]}}`
		pod := runningPod(ctx, namespace, "shop-0", func(p *corev1.Pod) { p.Labels = labels })
		made(ctx,
			`{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: shop}, spec: {selector: {matchLabels: {app: shop}}, `+template+`}}`)
		made(ctx, `{apiVersion: v1, kind: ReplicationController, metadata: {name: shop}, spec: {selector: {app: shop}, `+template+`}}`)
		injected(ctx, create(ctx, namespace, "set", of("apps/v1", "ReplicaSet")), pod)
		injected(ctx, create(ctx, namespace, "controller", of("v1", "ReplicationController")), pod)
	})

	It("may be of a kind that the operator was given to read, whose selector is nothing but labels", func(ctx SpecContext) {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "reads-services-" + namespace}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get"}},
		}}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorName}}}
		Expect(k8s.Create(ctx, role)).To(Succeed())
		Expect(k8s.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(k8s.Delete(ctx, binding)).To(Succeed())
			Expect(k8s.Delete(ctx, role)).To(Succeed())
		})
		Eventually(func(g Gomega) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: operatorName,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Resource: "services",
					Name: "shop"}}}
			g.Expect(k8s.Create(ctx, review)).To(Succeed())
			g.Expect(review.Status.Allowed).To(BeTrue())
		}).Should(Succeed())
		made(ctx, `{apiVersion: v1, kind: Service, metadata: {name: shop}, spec: {selector: {app: shop}, ports: [{port: 80}]}}`)
		runningPod(ctx, namespace, "other")
		pod := runningPod(ctx, namespace, "shop-0", func(p *corev1.Pod) { p.Labels = labels })
		injected(ctx, create(ctx, namespace, "hang", of("v1", "Service")), pod)
	})

	DescribeTable("ends its session at once if it tells no pods",
		func(ctx SpecContext, apiVersion, kind string, prepare func(context.Context), says string) {
			runningPod(ctx, namespace, "shop-0", func(p *corev1.Pod) { p.Labels = labels })
			prepare(ctx)
			session := create(ctx, namespace, "hang", of(apiVersion, kind))
			endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonInvalid)
			Expect(said(session)).To(And(HavePrefix("spec.target.workload: "), ContainSubstring(says)))
		},
		Entry("a kind that there is not", "apps/v1", "Deploy", func(context.Context) {}, `the cluster has no kind "Deploy" in apiVersion apps/v1`),
		Entry("a kind of another group", "apps/v1", "Job", func(context.Context) {}, "Job and batch/v1"),
		Entry("a group that there is not", "example.org/v1", "Rollout", func(context.Context) {},
			`the cluster has no kind "Rollout" in apiVersion example.org/v1`),
		Entry("a scale that selects all", "example.com/v1", "Rollout", func(ctx context.Context) { rollout(ctx, "") },
			"would select every pod"),
		Entry("a kind without scale", "v1", "ConfigMap", func(ctx context.Context) {
			made(ctx, `{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}}`)
		}, `ConfigMap "shop" has no scale subresource`),
		Entry("a kind that makes what has pods", "batch/v1", "CronJob", func(context.Context) {},
			`CronJob "shop" has no pods of its own: name one of its Jobs, or use mode: PodCopy, which copies its pod template`),
		Entry("a pod", "v1", "Pod", func(ctx context.Context) {
			runningPod(ctx, namespace, "shop", func(p *corev1.Pod) { p.Labels = labels })
		}, `Pod "shop" has no spec.selector`),
	)

	It("is waited for if it is not there yet", func(ctx SpecContext) {
		session := create(ctx, namespace, "hang", of("example.com/v1", "Rollout"))
		reaches(ctx, session, v1alpha1.PhasePending)
		Expect(said(session)).To(ContainSubstring(`there is no Rollout "shop" in namespace`))
	})
})
