package integration

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/certs"
	"debugsession.dev/operator/internal/operator"
)

const trusted = "200: ok"

// readiness is what the operator says of its webhooks when its readiness is probed.
func readiness(ctx context.Context) func(Gomega) string { return probed(ctx, "/readyz/webhooks") }

// probed is what the operator answers to a probe.
func probed(ctx context.Context, path string) func(Gomega) string {
	return func(g Gomega) string {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+probeAddress+path, http.NoBody)
		g.Expect(err).NotTo(HaveOccurred())
		response, err := http.DefaultClient.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		g.Expect(err).NotTo(HaveOccurred())
		return strconv.Itoa(response.StatusCode) + ": " + strings.TrimSpace(string(body))
	}
}

func certificates(ctx context.Context) (*corev1.Secret, *x509.Certificate) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: operator.DefaultNamespace, Name: certs.SecretName}, secret)).To(Succeed())
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	certificate, err := x509.ParseCertificate(block.Bytes)
	Expect(err).NotTo(HaveOccurred())
	return secret, certificate
}

var _ = Describe("the webhooks", func() {
	var namespace string

	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	create := func(ctx context.Context) error {
		return k8s.Create(ctx, newSession(namespace, "new", "web"), client.DryRunAll)
	}

	It("being down, let nothing new in, and everything end", func(ctx SpecContext) {
		node := &kubelet{}
		stop := startOperator(node)
		ended, deleted := newSession(namespace, "ended", "ended"), newSession(namespace, "deleted", "deleted")
		for _, session := range []*v1alpha1.DebugSession{ended, deleted} {
			pod := runningPod(ctx, namespace, session.Name)
			Expect(k8s.Create(ctx, session)).To(Succeed())
			Eventually(func(g Gomega) {
				refreshed(ctx, g, pod)
				g.Expect(pod.Spec.EphemeralContainers).To(HaveLen(1))
			}).Should(Succeed())
			Expect(node.set(ctx, pod, pod.Spec.EphemeralContainers[0].Name, running())).To(Succeed())
			Eventually(phase(ctx, session)).Should(Equal(v1alpha1.PhaseActive))
		}
		stop()
		Expect(create(ctx)).To(MatchError(ContainSubstring(`failed calling webhook "sessions.debugsession.dev"`)))
		Expect(k8s.Patch(ctx, ended, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"end":true}}`)))).To(Succeed())
		Expect(k8s.Delete(ctx, deleted)).To(Succeed())

		// The operator alone is back; the API server still cannot reach it.
		launchOperator(node, freePort())
		Eventually(phase(ctx, ended)).Should(Equal(v1alpha1.PhaseEnded))
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(deleted), deleted) }).ShouldNot(Succeed())
	})

	It("being removed, make the operator unready, and what is created then is not trusted", func(ctx SpecContext) {
		startOperator(&kubelet{})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		runningPod(ctx, namespace, "web")
		DeferCleanup(func(ctx SpecContext) { Eventually(readiness(ctx)).Should(Equal(trusted)) })
		for _, configuration := range []client.Object{
			&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{},
		} {
			Expect(k8s.Get(ctx, client.ObjectKey{Name: certs.ConfigurationName}, configuration)).To(Succeed())
			Expect(k8s.Delete(ctx, configuration)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) {
				configuration.SetResourceVersion("")
				Expect(k8s.Create(ctx, configuration)).To(Succeed())
			})
		}
		Eventually(readiness(ctx)).Should(ContainSubstring(
			`MutatingWebhookConfiguration "debugsession" is missing, so who creates a session is not recorded`))

		mallory := newPerson("mallory")
		mayEdit(ctx, namespace, "mallory")
		forged := newSession(namespace, "forged", "web")
		forged.Spec.ClassName, forged.Spec.Requester = "standard", &v1alpha1.Identity{Username: "sre", Seal: "c2VhbA"}
		Eventually(func() error {
			return mallory.Create(ctx, forged.DeepCopy())
		}).Should(MatchError(ContainSubstring(`spec.requester: must be the user who creates the session`)))
		forged.Spec.Requester = whoami(ctx, mallory)
		forged.Spec.Requester.Seal = "c2VhbA"
		Expect(mallory.Create(ctx, forged)).To(Succeed())
		endsAs(ctx, forged, v1alpha1.OutcomeRejected, v1alpha1.ReasonNotTrusted)
	})

	It("being removed, keep what they have stamped from starting until they are back", func(ctx SpecContext) {
		startOperator(&kubelet{})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		waiting := newSession(namespace, "waiting", "web")
		Expect(k8s.Create(ctx, waiting)).To(Succeed())
		Eventually(phase(ctx, waiting)).Should(Equal(v1alpha1.PhasePending))
		configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: certs.ConfigurationName}, configuration)).To(Succeed())
		Expect(k8s.Delete(ctx, configuration)).To(Succeed())
		back := false
		restore := func(ctx context.Context) {
			if !back {
				back = true
				configuration.SetResourceVersion("")
				Expect(k8s.Create(ctx, configuration)).To(Succeed())
			}
		}
		DeferCleanup(func(ctx SpecContext) { restore(ctx) })
		Eventually(readiness(ctx)).Should(ContainSubstring("is missing"))

		pod := runningPod(ctx, namespace, "web")
		Eventually(func(g Gomega) {
			refreshed(ctx, g, waiting)
			g.Expect(waiting.Status.Reason).To(Equal(v1alpha1.ReasonUnreadable))
			g.Expect(said(waiting)).To(ContainSubstring(`ValidatingWebhookConfiguration "debugsession" is missing`))
		}).Should(Succeed())
		Expect(waiting.Status.StartedAt).To(BeNil())
		restore(ctx)
		injected(ctx, waiting, pod)
	})

	It("being weakened, make the operator unready", func(ctx SpecContext) {
		startOperator(&kubelet{})
		configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: certs.ConfigurationName}, configuration)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(k8s.Patch(ctx, configuration, client.RawPatch(types.JSONPatchType,
				[]byte(`[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Fail"}]`)))).To(Succeed())
		})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		Expect(k8s.Patch(ctx, configuration, client.RawPatch(types.JSONPatchType,
			[]byte(`[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)))).To(Succeed())
		Eventually(readiness(ctx)).Should(ContainSubstring("does not have failurePolicy Fail"))
	})

	It("lose their CA by an edit, and have it back", func(ctx SpecContext) {
		startOperator(&kubelet{})
		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: certs.ConfigurationName}, configuration)).To(Succeed())
		before := configuration.Webhooks[0].ClientConfig.CABundle
		Expect(k8s.Patch(ctx, configuration, client.RawPatch(types.JSONPatchType,
			[]byte(`[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`)))).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, configuration)
			g.Expect(configuration.Webhooks[0].ClientConfig.CABundle).To(Equal(before))
		}).Should(Succeed())
	})

	It("get a new certificate before theirs ends, while they are used", func(ctx SpecContext) {
		startOperator(&kubelet{})
		secret, _ := certificates(ctx)
		soon := time.Now().Add(24 * time.Hour)
		replaceCertificate(secret, soon)
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(create(ctx)).To(Succeed(), "none is refused meanwhile")
			now, certificate := certificates(ctx)
			g.Expect(now.Data["ca.crt"]).To(Equal(secret.Data["ca.crt"]), "the CA stays")
			g.Expect(certificate.NotAfter).To(BeTemporally(">", soon.Add(time.Hour)))
		}).Should(Succeed())
		Expect(create(ctx)).To(Succeed())
	})

	It("get a new CA when their Secret is deleted", func(ctx SpecContext) {
		startOperator(&kubelet{})
		secret, _ := certificates(ctx)
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(func(g Gomega) {
			now := &corev1.Secret{}
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), now)).To(Succeed())
			g.Expect(now.Data["ca.crt"]).NotTo(Equal(secret.Data["ca.crt"]))
		}).Should(Succeed())
		Eventually(func() error { return create(ctx) }).Should(Succeed())
		Eventually(readiness(ctx)).Should(Equal(trusted))
	})

	It("are served by a replica that does not lead", func(ctx SpecContext) {
		startOperator(&kubelet{})() // so that there is a class
		now := metav1.NowMicro()
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: operator.DefaultNamespace, Name: "debugsession-operator"},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: ptr.To("the other replica"), LeaseDurationSeconds: ptr.To[int32](3600), AcquireTime: &now, RenewTime: &now,
			},
		}
		Expect(k8s.Create(ctx, lease)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, lease)).To(Succeed()) })
		before, _ := certificates(ctx)
		launchOperator(&kubelet{}, environment.WebhookInstallOptions.LocalServingPort, func(o *manager.Options, _ *operator.Options) {
			o.LeaderElection, o.LeaderElectionID, o.LeaderElectionNamespace = true, lease.Name, lease.Namespace
		})
		Eventually(func() error { return create(ctx) }).Should(Succeed())
		Eventually(readiness(ctx)).Should(Equal(trusted))
		after, _ := certificates(ctx)
		Expect(after.ResourceVersion).To(Equal(before.ResourceVersion), "it serves the certificate that is there")
	})
})

// replaceCertificate puts in a certificate of the same CA that ends then.
func replaceCertificate(secret *corev1.Secret, then time.Time) {
	GinkgoHelper()
	certBlock, _ := pem.Decode(secret.Data["ca.crt"])
	keyBlock, _ := pem.Decode(secret.Data["ca.key"])
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	Expect(err).NotTo(HaveOccurred())
	key, err := x509.ParsePKCS1PrivateKey(keyBlock.Bytes)
	Expect(err).NotTo(HaveOccurred())
	maker := rotator.CertRotator{
		DNSName:       "debugsession-webhook.debugsession-system.svc",
		ExtraDNSNames: []string{"debugsession-operator-metrics.debugsession-system.svc", "localhost"},
		ExtKeyUsages:  &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey], err =
		maker.CreateCertPEM(&rotator.KeyPairArtifacts{Cert: cert, Key: key}, time.Now().Add(-time.Hour), then)
	Expect(err).NotTo(HaveOccurred())
}
