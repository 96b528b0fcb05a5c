package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// metricsServerName is whom the certificate of the metrics' port is for.
const metricsServerName = "debugsession-operator-metrics." + operatorNamespace + ".svc"

// metricsToken is that of a service account of the namespace that may read the metrics.
func (n namespace) metricsToken() string {
	GinkgoHelper()
	n.kubectl("create", "serviceaccount", "prometheus")
	binding := string(n) + "-metrics"
	kubectl("create", "clusterrolebinding", binding,
		"--clusterrole=debugsession-metrics-reader", "--serviceaccount="+string(n)+":prometheus")
	DeferCleanup(func() { kubectl("delete", "clusterrolebinding", binding) })
	return strings.TrimSpace(n.kubectl("create", "token", "prometheus"))
}

// metricsCA is the certificate that is published to know the metrics' port by.
func metricsCA() string {
	GinkgoHelper()
	ca, err := base64.StdEncoding.DecodeString(kubectl("-n", operatorNamespace, "get", "secret", "debugsession-webhook-cert", "-o",
		`jsonpath={.data.ca\.crt}`))
	Expect(err).NotTo(HaveOccurred())
	return string(ca)
}

// scraper returns what Prometheus would get of the leader.
func (n namespace) scraper() func(Gomega) string {
	GinkgoHelper()
	token, leads := n.metricsToken(), leader()
	return func(g Gomega) string {
		text, status := leads.metrics(token)
		g.Expect(status).To(Equal(http.StatusOK))
		return text
	}
}

// leader is the replica that acts.
func leader() replica {
	GinkgoHelper()
	return forward(strings.SplitN(holder(namespace(operatorNamespace)), "_", 2)[0])
}

// replica is one of the operator's pods, by its port of metrics.
type replica struct {
	address string
	client  *http.Client
}

// forward reaches a replica as long as the spec runs, and knows it by the certificate that is published in its Secret.
func forward(pod string) replica {
	GinkgoHelper()
	cmd := exec.Command("kubectl", "-n", operatorNamespace, "port-forward", "pod/"+pod, ":8443")
	out, err := cmd.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(cmd.Start()).To(Succeed())
	DeferCleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	Expect(err).NotTo(HaveOccurred())
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	Expect(address).NotTo(BeEmpty(), line)

	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM([]byte(metricsCA()))).To(BeTrue())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: metricsServerName}}
	DeferCleanup(transport.CloseIdleConnections)
	return replica{address, &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// metrics are what it answers to whoever has the token.
func (r replica) metrics(token string) (text string, status int) {
	GinkgoHelper()
	request, err := http.NewRequest(http.MethodGet, "https://"+r.address+"/metrics", http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := r.client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return string(body), response.StatusCode
}
