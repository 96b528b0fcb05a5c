// Package e2e tests the operator as it is installed, in a real cluster with a real kubelet, by kubectl, as a user would.
//
// `make test-e2e` runs it: test/with-cluster.sh brings the cluster up, builds the operator's image and says in INSTALL
// which file installs it.
package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	operatorNamespace = "debugsession-system"
	operator          = "deployment/debugsession-operator"
	operatorPods      = "control-plane=debugsession-operator"

	// manifests is where the kubelet of test/cluster looks for static pods.
	manifests = "/var/lib/debugsession-cluster/manifests"
)

// appImage is the image that is debugged: an HTTP server on $PORT, which needs no shell.
var appImage = "server:v1"

func TestEndToEnd(t *testing.T) {
	if os.Getenv("INSTALL") == "" {
		const reason = "INSTALL names no file that installs the operator: make test-e2e brings up a cluster and sets it"
		if os.Getenv("CI") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	if image := os.Getenv("APP_IMG"); image != "" {
		appImage = image
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(90 * time.Second)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "end to end")
}

// installed is whether this run installed the operator, which then is removed at its end.
var installed bool

// The operator is installed once, by the first of the parallel processes.
var _ = SynchronizedBeforeSuite(func() {
	_, err := tryKubectl("get", "namespace", operatorNamespace)
	installed = err != nil
	kubectl("apply", "-f", os.Getenv("INSTALL"))
	operatorReady()
	// Eventually, as what the Service's proxy knows of a new operator comes a moment after it is ready.
	Eventually(func() error { _, err := feedKubectl(everything, "apply", "-f", "-"); return err }).Should(Succeed())
}, func() {})

// Each process sees its namespaces go, and the first then removes what it installed.
var _ = SynchronizedAfterSuite(awaitNamespacesGone, func() {
	kubectl("delete", "--ignore-not-found", "debugclass", "e2e-everything")
	if installed {
		kubectl("delete", "--ignore-not-found", "-f", os.Getenv("INSTALL"))
	}
})

// everything is a class that allows what the installed one does not, for the tests of what a kubelet makes of it.
const everything = `
apiVersion: debugsession.dev/v1alpha1
kind: DebugClass
metadata: {name: e2e-everything}
spec:
  modes: [EphemeralContainer, PodCopy]
  profiles: [general, baseline, restricted, netadmin, sysadmin]
  imagePullSecrets: ["*"]
  targetImages: ["**"]
  volumeClaims: {allowWrite: true}
  allowSecurityContext: true
  allowVolumes: true
  allowUnstoppable: true
  limits: {maxMembers: 10}
  maxTTL: 24h
`

// operatorReady waits for the operator, and then until the API server reaches its webhooks: a node's kube-proxy learns a little
// later than the Deployment where they are.
func operatorReady() {
	kubectl("-n", operatorNamespace, "rollout", "status", operator, "--timeout=90s")
	var reached int
	Eventually(func(g Gomega) {
		_, err := feedKubectl(probeClass, "apply", "--dry-run=server", "-f", "-")
		if err != nil {
			reached = 0
		}
		g.Expect(err).NotTo(HaveOccurred())
		reached++
		g.Expect(reached).To(BeNumerically(">=", 5), "of two replicas one may not be reached yet")
	}).Should(Succeed())
}

// probeClass is never made: its dry run asks the webhooks.
const probeClass = `{apiVersion: debugsession.dev/v1alpha1, kind: DebugClass, metadata: {name: e2e-probe},
  spec: {modes: [PodCopy], profiles: [general], maxTTL: 1h}}`

// ownCluster skips a spec that needs the cluster of test/cluster.
func ownCluster() {
	if filepath.Dir(filepath.Dir(os.Getenv("KUBECONFIG"))) != filepath.Dir(manifests) {
		Skip("needs the cluster of test/cluster: it reaches into the node")
	}
}

// since skips a spec of what came with a minor version of Kubernetes that the cluster is older than.
func since(minor int, what string) {
	GinkgoHelper()
	var version struct{ ServerVersion struct{ Minor string } }
	Expect(json.Unmarshal([]byte(kubectl("version", "--output=json")), &version)).To(Succeed())
	here, err := strconv.Atoi(strings.TrimSuffix(version.ServerVersion.Minor, "+")) // some providers append it
	Expect(err).NotTo(HaveOccurred())
	if here < minor {
		Skip(fmt.Sprintf("%s came with Kubernetes 1.%d, and this is 1.%d", what, minor, here))
	}
}
