// Package upgrade tests, in a real cluster, that sessions outlive an upgrade of the operator, a downgrade, and two versions of it at once.
// `make test-upgrade` runs it, from the version that UPGRADE_FROM names.
package upgrade

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/test/e2e/command"
)

const (
	root      = "../../.."
	namespace = "upgrade-shop"
	operator  = "debugsession-operator"
	system    = "debugsession-system"
)

// before and now are the manifests that install the two versions.
var before, now string

func TestUpgrade(t *testing.T) {
	now = os.Getenv("INSTALL")
	if now == "" {
		t.Skip("INSTALL names no file that installs the operator: make test-upgrade brings up a cluster and sets it")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "upgrade")
}

// The version before is brought into the cluster's registry under a tag of its own.
var _ = BeforeSuite(func() {
	from, err := filepath.Abs(root + "/bin/from")
	Expect(err).NotTo(HaveOccurred())
	command.Run("", root+"/bin/cluster", "image-build", "--tag", older(), from+"/image")
	manifest, err := os.ReadFile(from + "/install.yaml")
	Expect(err).NotTo(HaveOccurred())
	const placeholder = "image: debugsession/operator:dev\n"
	Expect(string(manifest)).To(ContainSubstring(placeholder))
	before = filepath.Join(GinkgoT().TempDir(), "install.yaml")
	Expect(os.WriteFile(before, []byte(strings.Replace(string(manifest), placeholder, "image: "+older()+"\n", 1)), 0o600)).To(Succeed())

	command.Kubectl("create", "namespace", namespace)
	command.Kubectl("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin", "--user=alice", "--user=bob", "--user=carol")
})

var _ = AfterSuite(func() {
	command.Kubectl("delete", "namespace", namespace, "--timeout=120s")
	command.Kubectl("delete", "clusterrolebinding", namespace)
	command.Kubectl("delete", "debugclass", "upgrade", "upgrade-approved", "--ignore-not-found")
	command.Kubectl("delete", "--ignore-not-found", "-f", now)
})

// older is the image of the version before.
func older() string { return path.Dir(os.Getenv("IMG")) + "/operator:from" }

// as runs kubectl in the namespace as a user of the cluster.
func as(user, input string, args ...string) {
	GinkgoHelper()
	command.Run(input, "kubectl", append([]string{"--kubeconfig", command.Kubeconfig(user), "-n", namespace}, args...)...)
}

// install applies a version, and waits until its replicas alone are there and its webhooks are reached.
func install(manifest string) {
	GinkgoHelper()
	command.Kubectl("apply", "-f", manifest)
	settled()
}

func settled() {
	GinkgoHelper()
	command.Kubectl("-n", system, "rollout", "status", "deployment/"+operator, "--timeout=120s")
	Eventually(func() string {
		return command.Kubectl("-n", system, "get", "pods", "-l", "control-plane="+operator, "-o", "jsonpath={.items[?(@.metadata.deletionTimestamp)].metadata.name}")
	}).Should(BeEmpty())
	Eventually(leader).ShouldNot(BeEmpty())
	reached := 0
	Eventually(func() int {
		if _, err := command.Try(classes, "kubectl", "apply", "--dry-run=server", "-f", "-"); err != nil {
			reached = 0
		} else {
			reached++
		}
		return reached
	}).Should(BeNumerically(">=", 5), "of two replicas one may not be reached yet")
}

// leader is the replica that acts, as far as it is there: its name and its image's.
func leader() string {
	GinkgoHelper()
	holder, _, _ := strings.Cut(command.Kubectl("-n", system, "get", "lease", operator, "-o", "jsonpath={.spec.holderIdentity}"), "_")
	if holder == "" {
		return ""
	}
	return command.Kubectl("-n", system, "get", "pod", holder, "--ignore-not-found", "-o", "jsonpath={.metadata.name} {.spec.containers[0].image}")
}

// of is what a session says of itself.
func of(session, jsonpath string) func() string {
	return func() string {
		return command.Kubectl("-n", namespace, "get", "debugsession", session, "-o", "jsonpath="+jsonpath)
	}
}

func phase(session string) func() string { return of(session, "{.status.phase}") }
