package integration

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/internal/seal"
)

var _ = Describe("the key of the seals", func() {
	It("is one for replicas that start at once, and cannot be edited", func(ctx SpecContext) {
		const replicas = 8
		namespace := newNamespace(ctx, nil)
		keys := make(chan []byte, replicas)
		for range replicas {
			go func() {
				defer GinkgoRecover()
				key, err := seal.LoadOrCreateKey(ctx, k8s, namespace)
				Expect(err).NotTo(HaveOccurred())
				keys <- key
			}()
		}
		var first []byte
		Eventually(keys).Should(Receive(&first))
		Expect(first).To(HaveLen(32))
		for range replicas - 1 {
			Eventually(keys).Should(Receive(Equal(first)))
		}
		secret := &corev1.Secret{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: seal.SecretName}, secret)).To(Succeed())
		Expect(k8s.Patch(ctx, secret, client.RawPatch(types.MergePatchType, []byte(`{"data":{"key":"AAAA"}}`)))).
			To(MatchError(ContainSubstring("field is immutable")))
	})

	It("that is deleted or replaced has the operator start again, and no other change has", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		clientset, err := kubernetes.NewForConfig(restConfig)
		Expect(err).NotTo(HaveOccurred())
		key, err := seal.LoadOrCreateKey(ctx, k8s, namespace)
		Expect(err).NotTo(HaveOccurred())
		guarding := func(key []byte) chan error {
			ended := make(chan error, 1)
			go func() { ended <- seal.NewKeyWatcher(clientset, namespace, key).Start(ctx) }()
			return ended
		}
		ended := guarding(key)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: seal.SecretName}}
		Expect(k8s.Patch(ctx, secret, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"a":"b"}}}`)))).
			To(Succeed())
		Consistently(ended).WithTimeout(time.Second).ShouldNot(Receive())
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(ended).Should(Receive(MatchError(seal.ErrKeyChanged)))

		next, err := seal.LoadOrCreateKey(ctx, k8s, namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(next).NotTo(Equal(key))
		Eventually(guarding(key)).Should(Receive(MatchError(seal.ErrKeyChanged)), "replaced while it was not looked at")
	})

	It("that was replaced vouches for nothing that was sealed before, and what runs on no approval goes on", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		createAnything(ctx)
		namespace := newNamespace(ctx, nil)
		class := newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1, SelfApproval: true}
		})
		ofClass := func(s *v1alpha1.DebugSession) { s.Spec.ClassName = class.Name }
		goesOn := active(ctx, node, namespace, "goes-on", runningPod(ctx, namespace, "web"))
		waits := create(ctx, namespace, "waits", fixture.Of("late"))
		reaches(ctx, waits, v1alpha1.PhasePending)
		shop := runningPod(ctx, namespace, "shop")
		approved := create(ctx, namespace, "approved", fixture.Of("shop"), ofClass)
		reaches(ctx, approved, v1alpha1.PhaseAwaitingApproval)
		Expect(k8s.Create(ctx, newApproval(namespace, "yes", "approved"))).To(Succeed())
		injected(ctx, approved, shop)
		Expect(node.set(ctx, shop, approved.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, approved, v1alpha1.PhaseActive)

		stop()
		key := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operator.DefaultNamespace, Name: seal.SecretName}}
		Expect(k8s.Delete(ctx, key)).To(Succeed())
		startOperator(node)
		endsAs(ctx, waits, v1alpha1.OutcomeRejected, v1alpha1.ReasonNotTrusted)
		endsAs(ctx, approved, v1alpha1.OutcomeRevoked, string(v1alpha1.OutcomeRevoked))
		Consistently(phase(ctx, goesOn)).WithTimeout(500 * time.Millisecond).Should(Equal(v1alpha1.PhaseActive))
	})

	It("is refused if it is not as long as a key must be", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		secret := &corev1.Secret{Data: map[string][]byte{"key": []byte("short")}}
		secret.Namespace, secret.Name = namespace, seal.SecretName
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		_, err := seal.LoadOrCreateKey(ctx, k8s, namespace)
		Expect(err).To(MatchError(ContainSubstring(`field "key" must have 32 bytes, but has 5; delete the Secret`)))
	})
})
