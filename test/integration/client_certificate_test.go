package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/internal/operator"
)

// shownCA is the file with the CA of the certificate that the API server shows to webhooks, and shownName whom it is for.
var (
	shownCA   string
	shownName = "apiserver.tests"
)

// showCertificates configures the API server, before it starts, to show a certificate to webhooks that ask for one.
func showCertificates(folder string) {
	GinkgoHelper()
	write := func(name string, content []byte) string {
		file := filepath.Join(folder, name)
		Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
		return file
	}
	maker := rotator.CertRotator{
		CAName:       "webhook-clients",
		DNSName:      shownName,
		ExtKeyUsages: &[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	ca, err := maker.CreateCACert(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	Expect(err).NotTo(HaveOccurred())
	cert, key, err := maker.CreateCertPEM(ca, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	Expect(err).NotTo(HaveOccurred())
	shownCA = write("ca.crt", ca.CertPEM)
	kubeconfig := write("kubeconfig", fmt.Appendf(nil,
		"apiVersion: v1\nkind: Config\nusers:\n- name: '*'\n  user: {client-certificate: %s, client-key: %s}\n",
		write("tls.crt", cert), write("tls.key", key)))
	config := "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"
	for _, plugin := range []string{"MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"} {
		config += fmt.Sprintf("- name: %s\n  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: "+
			"WebhookAdmissionConfiguration, kubeConfigFile: %s}\n",
			plugin, kubeconfig)
	}
	environment.ControlPlane.GetAPIServer().Configure().Set("admission-control-config-file", write("admission.yaml", []byte(config)))
}

var _ = Describe("a client certificate that is demanded", func() {
	// post asks the webhook without one.
	post := func(ctx context.Context) error {
		pod := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
		at := "https://localhost:" + strconv.Itoa(environment.WebhookInstallOptions.LocalServingPort) + "/stamp/debugsessions"
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader("{}"))
		Expect(err).NotTo(HaveOccurred())
		response, err := pod.Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}

	It("is shown by the API server, and nobody else is answered", func(ctx SpecContext) {
		startOperator(&kubelet{}, func(_ *manager.Options, o *operator.Options) {
			o.Webhook.ClientCAFile, o.Webhook.ClientName = shownCA, shownName
		}) // returns when a session can be created
		Expect(post(ctx)).To(MatchError(ContainSubstring("certificate required")))
		Eventually(readiness(ctx)).Should(Equal(trusted))
	})

	It("must be for the name", func(ctx SpecContext) {
		startOperator(&kubelet{})()
		launchOperator(&kubelet{}, environment.WebhookInstallOptions.LocalServingPort, func(_ *manager.Options, o *operator.Options) {
			o.Webhook.ClientCAFile, o.Webhook.ClientName = shownCA, "somebody"
		})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		Expect(k8s.Create(ctx, newSession("default", "refused", "nothing"), client.DryRunAll)).
			To(MatchError(ContainSubstring("failed calling webhook")))
	})
})
