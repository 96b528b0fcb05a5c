package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a session that was admitted", Ordered, func() {
	var alice *person
	var namespace string
	var session *v1alpha1.DebugSession

	merge := func(patch string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(patch)) }

	BeforeAll(func() {
		startOperator(&kubelet{})
		alice = newPerson("alice")
	})

	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		mayEdit(ctx, namespace, "alice")
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "standard")
		runningPod(ctx, namespace, "web")
		session = newSession(namespace, "hang", "web")
		session.Spec.TTL = &metav1.Duration{Duration: 30 * time.Minute}
		Expect(alice.Create(ctx, session)).To(Succeed())
		Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseStarting))
	})

	It("keeps its seal when ttl and end are changed", func(ctx SpecContext) {
		Expect(alice.Patch(ctx, session, merge(`{"spec":{"ttl":"45m"}}`))).To(Succeed())
		Expect(sealer(ctx).VerifySession(session)).To(BeTrue())
		Expect(alice.Patch(ctx, session, merge(`{"spec":{"ttl":"10m","end":true}}`))).To(Succeed())
		Expect(sealer(ctx).VerifySession(session)).To(BeTrue())
	})

	It("gets no longer ttl than its class grants at most", func(ctx SpecContext) {
		message := refusal(alice.Patch(ctx, session, merge(`{"spec":{"ttl":"2h"}}`)))
		Expect(message).To(HavePrefix(`spec.ttl: 2h exceeds the maximum of 1h in class "standard"`))
	})

	It("keeps its finalizer until it has ended", func(ctx SpecContext) {
		message := refusal(alice.Patch(ctx, session, merge(`{"metadata":{"finalizers":null}}`)))
		Expect(message).To(HavePrefix("metadata.finalizers: debugsession.dev/teardown cannot be removed before the session has ended"))
		Expect(message).To(ContainSubstring("set spec.end: true or delete it"))
		Expect(alice.Patch(ctx, session,
			merge(`{"metadata":{"labels":{"team":"shop"},"finalizers":["debugsession.dev/teardown","example.com/mine"]}}`))).
			To(Succeed(), "the rest of the metadata is free")
	})

	It("keeps what was stamped", func(ctx SpecContext) {
		for _, patch := range []string{
			`{"spec":{"requester":{"username":"bob"}}}`,
			`{"spec":{"requester":{"groups":["system:masters"]}}}`,
			`{"spec":{"requester":{"seal":"forged"}}}`,
		} {
			Expect(alice.Patch(ctx, session, merge(patch))).
				To(MatchError(ContainSubstring("requester is stamped at creation and cannot be changed")), patch)
		}
		Expect(alice.Patch(ctx, session, merge(`{"spec":{"className":"privileged"}}`))).
			To(MatchError(ContainSubstring("className cannot be changed")))
		Expect(alice.Patch(ctx, session, merge(`{"spec":{"requester":null,"className":null}}`))).To(Succeed(),
			"what is only left out comes back")
		Expect(sealer(ctx).VerifySession(session)).To(BeTrue())
		Expect(session.Spec.Requester.Username).To(Equal("alice"))
	})

	It("is not changed when its manifest replaces it", func(ctx SpecContext) {
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			manifest := newSession(namespace, "hang", "web")
			manifest.Spec.TTL = session.Spec.TTL
			manifest.Finalizers, manifest.ResourceVersion = session.Finalizers, session.ResourceVersion
			g.Expect(alice.Update(ctx, manifest)).To(Succeed())
			g.Expect(manifest.Spec).To(Equal(session.Spec))
		}).Should(Succeed())
	})
})

const sessionManifest = `
apiVersion: debugsession.dev/v1alpha1
kind: DebugSession
metadata: {name: hang}
spec:
  reason: requests hang
  target: {podName: web}
  mode: PodCopy
  podCopy: {shareProcesses: true}
  debugger:
    image: busybox:1.36
    command: [sh]
    args: []
    env: [{name: EMPTY, value: ""}, {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
    envFrom: [{configMapRef: {name: settings}}]
    resources: {limits: {cpu: 1000m, memory: 1024Mi}, requests: {cpu: "0.50"}}
    securityContext: {}
    stdin: true
  ttl: 60m
  notAfter: "2199-12-01T18:00:00+01:00"
`

var _ = Describe("a session applied by kubectl", Ordered, func() {
	var alice *person

	BeforeAll(func() {
		startOperator(&kubelet{})
		alice = newPerson("alice")
	})

	apply := func(namespace, manifest string, arguments ...string) {
		GinkgoHelper()
		_, stderr, err := kubectl(alice, manifest, append([]string{"apply", "-n", namespace, "-f", "-"}, arguments...)...)
		Expect(err).NotTo(HaveOccurred(), stderr)
	}

	DescribeTable("again and again keeps its spec and its seal",
		func(ctx SpecContext, steps ...[]string) {
			namespace := newNamespace(ctx, nil)
			mayEdit(ctx, namespace, "alice")
			may(ctx, namespace, "alice", v1alpha1.VerbUse, "standard")
			session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hang"}}
			var first v1alpha1.DebugSessionSpec
			for i, arguments := range steps {
				apply(namespace, sessionManifest, arguments...)
				Expect(k8s.Get(ctx, client.ObjectKeyFromObject(session), session)).To(Succeed())
				Expect(sealer(ctx).VerifySession(session)).To(BeTrue())
				Expect(session.Generation).To(Equal(int64(1)))
				if i == 0 {
					first = session.Spec
				}
				Expect(session.Spec).To(Equal(first))
			}
		},
		Entry("client-side", []string{}, []string{}),
		Entry("server-side", []string{"--server-side"}, []string{"--server-side"}),
		Entry("server-side by two managers", []string{"--server-side", "--field-manager=flux"},
			[]string{"--server-side", "--field-manager=argo"}),
		Entry("client-side, then server-side", []string{}, []string{"--server-side"}, []string{"--server-side"}),
		Entry("server-side, then client-side", []string{"--server-side"}, []string{}, []string{}),
	)
})
