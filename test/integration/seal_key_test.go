package integration

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

	It("is refused if it is not as long as a key must be", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		secret := &corev1.Secret{Data: map[string][]byte{"key": []byte("short")}}
		secret.Namespace, secret.Name = namespace, seal.SecretName
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		_, err := seal.LoadOrCreateKey(ctx, k8s, namespace)
		Expect(err).To(MatchError(ContainSubstring(`its field "key" must hold 32 bytes and holds 5; delete the Secret`)))
	})
})
