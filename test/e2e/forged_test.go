package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a seal that was forged at the webhook's Service", func() {
	It("is worth nothing, also where a cloud keeps the webhooks out", Serial, func() {
		ownCluster()
		n := newNamespace()
		n.pod("web")
		n.kubectl("create", "role", "sessions", "--verb=create,get", "--resource=debugsessions.debugsession.dev")
		n.kubectl("create", "rolebinding", "sessions", "--role=sessions", "--user=mallory")
		manifest := sessionManifest("forged", "\n  className: e2e-everything\n  mode: EphemeralContainer\n  profile: sysadmin"+shell)
		sealed := forge(n, manifest, authenticationv1.UserInfo{Username: "root", Groups: []string{"system:masters"}})

		leaveOut(string(n))
		DeferCleanup(leaveOut, "")
		mallory := user("mallory")
		// From the moment on at which the webhooks are not called here.
		Eventually(func() string { return mallory.refused(n, sealed) }).Should(
			ContainSubstring("spec.requester: must be the user who creates the session"))
		Expect(mallory.refused(n, manifest)).To(ContainSubstring("its webhooks are not called here"))
		Expect(n.getPod("web").Spec.EphemeralContainers).To(BeEmpty())

		// It is written anew at once, and the API server perhaps does without it for a second.
		kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", "debugsession-identity-v4")
		if _, err := mallory.do(n, sealed, "create", "-f", "-"); err == nil {
			Expect(n.ends("forged", v1alpha1.OutcomeRejected).Status.Reason).To(Equal(v1alpha1.ReasonNotTrusted))
		}
		again := strings.Replace(sealed, "name: forged", "name: again", 1)
		Eventually(func() error { _, err := mallory.do(n, again, "create", "--dry-run=server", "-f", "-"); return err }).
			Should(MatchError(ContainSubstring("spec.requester: must be the user who creates the session")))
		Expect(n.getPod("web").Spec.EphemeralContainers).To(BeEmpty())
		Eventually(func() (string, error) {
			return tryKubectl("get", "validatingadmissionpolicy", "debugsession-identity-v4", "-o",
				"jsonpath={.status.observedGeneration} {.status.typeChecking.expressionWarnings}")
		}).Should(Equal("1 "), "its expressions fit the kinds")

		// What is created once it is enforced everywhere goes on, in namespaces that are not left out.
		since, err := time.Parse(time.RFC3339, kubectl("get", "validatingadmissionpolicy", "debugsession-identity-v4",
			"-o", `jsonpath={.metadata.annotations.debugsession\.dev/enforced-since}`))
		Expect(err).NotTo(HaveOccurred())
		Eventually(time.Now).Should(BeTemporally(">", since))
		other := newNamespace()
		other.pod("web")
		other.session("hang", "\n  className: e2e-everything"+shell)
		other.reaches("hang", v1alpha1.PhaseActive)
		other.end("hang")
	})
})

// forge has the webhook stamp a session for somebody, without the API server and with no token or certificate, as any pod can.
func forge(n namespace, manifest string, somebody authenticationv1.UserInfo) string {
	GinkgoHelper()
	var object map[string]any
	Expect(yaml.Unmarshal([]byte(manifest), &object)).To(Succeed())
	raw, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "forged", Operation: admissionv1.Create, Namespace: string(n), UserInfo: somebody, Object: runtime.RawExtension{Raw: raw},
		},
	}
	body, err := json.Marshal(review)
	Expect(err).NotTo(HaveOccurred())
	address := kubectl("-n", operatorNamespace, "get", "service", "debugsession-webhook", "-o", "jsonpath={.spec.clusterIP}")
	anybody := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := anybody.Post("https://"+net.JoinHostPort(address, "443")+"/stamp/debugsessions",
		"application/json", bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	Expect(json.NewDecoder(response.Body).Decode(&review)).To(Succeed())
	var patch []struct {
		Path  string         `json:"path"`
		Value map[string]any `json:"value"`
	}
	Expect(review.Response.Allowed).To(BeTrue(), "%v", review.Response.Result)
	Expect(json.Unmarshal([]byte(strings.ReplaceAll(string(review.Response.Patch), `"value":[`, `"ignored":[`)), &patch)).To(Succeed())
	for _, change := range patch {
		if change.Path == "/spec/requester" {
			object["spec"].(map[string]any)["requester"] = change.Value
		}
	}
	stamped, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	Expect(string(stamped)).To(ContainSubstring("seal: "), "it is given a true seal")
	return string(stamped)
}

// leaveOut adds a selector to the webhooks of sessions and approvals that leaves out the namespace; or takes it away.
func leaveOut(namespace string) {
	GinkgoHelper()
	selector := "{}"
	if namespace != "" {
		selector = fmt.Sprintf(`{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":[%q]}]}`, namespace)
	}
	for _, kind := range []string{"mutatingwebhookconfiguration", "validatingwebhookconfiguration"} {
		var configuration admissionregistrationv1.ValidatingWebhookConfiguration
		Expect(json.Unmarshal([]byte(kubectl("get", kind, "debugsession", "-o", "json")), &configuration)).To(Succeed())
		var patch []string
		for i := range configuration.Webhooks {
			patch = append(patch, fmt.Sprintf(`{"op":"add","path":"/webhooks/%d/namespaceSelector","value":%s}`, i, selector))
		}
		kubectl("patch", kind, "debugsession", "--type=json", "-p", "["+strings.Join(patch, ",")+"]")
	}
}
