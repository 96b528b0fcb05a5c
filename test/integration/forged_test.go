package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/admissionpolicy"
	"debugsession.dev/operator/internal/certs"
)

// stampedFor asks the webhook itself, as a pod without any token can, to stamp an object as if somebody created it, and
// returns who it was stamped with. There is no API server in this.
func stampedFor(ctx context.Context, path string, object client.Object, user authenticationv1.UserInfo) *v1alpha1.Identity {
	GinkgoHelper()
	raw, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "forged", Operation: admissionv1.Create, Namespace: object.GetNamespace(), UserInfo: user, Object: runtime.RawExtension{Raw: raw},
		},
	}
	body, err := json.Marshal(review)
	Expect(err).NotTo(HaveOccurred())
	pod := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	at := "https://localhost:" + strconv.Itoa(environment.WebhookInstallOptions.LocalServingPort) + path
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	response, err := pod.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	Expect(json.NewDecoder(response.Body).Decode(&review)).To(Succeed())
	Expect(review.Response.Allowed).To(BeTrue(), "%v", review.Response.Result)
	var patch []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	Expect(json.Unmarshal(review.Response.Patch, &patch)).To(Succeed())
	for _, change := range patch {
		if change.Path == "/spec/requester" || change.Path == "/spec/approver" {
			identity := &v1alpha1.Identity{}
			Expect(json.Unmarshal(change.Value, identity)).To(Succeed())
			return identity
		}
	}
	Fail("nothing was stamped")
	return nil
}

// whoami is who the API server takes somebody for.
func whoami(ctx context.Context, who *person) *v1alpha1.Identity {
	GinkgoHelper()
	review := &authenticationv1.SelfSubjectReview{}
	Expect(who.Create(ctx, review)).To(Succeed())
	user := review.Status.UserInfo
	identity := &v1alpha1.Identity{Username: user.Username, UID: user.UID, Groups: user.Groups, Extra: map[string]v1alpha1.ExtraValue{}}
	for key, values := range user.Extra {
		identity.Extra[key] = v1alpha1.ExtraValue(values)
	}
	return identity
}

// configurations are the two of the webhooks, as they are.
func configurations(ctx context.Context) []client.Object {
	GinkgoHelper()
	both := []client.Object{&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}}
	for _, configuration := range both {
		Expect(k8s.Get(ctx, client.ObjectKey{Name: certs.ConfigurationName}, configuration)).To(Succeed())
	}
	return both
}

// restoreWebhooks puts them back when the spec is over, whatever has become of them.
func restoreWebhooks(ctx context.Context) {
	GinkgoHelper()
	for _, configuration := range configurations(ctx) {
		DeferCleanup(func(ctx SpecContext) { restore(ctx, configuration) })
	}
}

func restore(ctx context.Context, object client.Object) {
	GinkgoHelper()
	object = object.DeepCopyObject().(client.Object)
	Expect(client.IgnoreNotFound(k8s.Delete(ctx, object.DeepCopyObject().(client.Object)))).To(Succeed())
	object.SetResourceVersion("")
	Expect(k8s.Create(ctx, object)).To(Succeed())
}

// policy are the one that holds identities and its binding, as they are.
func policy(ctx context.Context) (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	GinkgoHelper()
	policy, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	for _, object := range []client.Object{policy, binding} {
		Expect(k8s.Get(ctx, client.ObjectKey{Name: admissionpolicy.Name}, object)).To(Succeed())
	}
	return policy, binding
}

// forgivePolicy has the next specs not wait until what was written anew is enforced everywhere: here it is. It is done once the
// operator has stopped, so it must be called before that is started.
func forgivePolicy() {
	DeferCleanup(func(ctx SpecContext) {
		policy, binding := policy(ctx)
		for _, object := range []client.Object{policy, binding} {
			Expect(k8s.Patch(ctx, object, mergePatch(`{"metadata":{"annotations":null}}`))).To(Succeed())
		}
	})
}

var _ = Describe("a seal that was forged at the webhook", Ordered, func() {
	var mallory *person
	rich := authenticationv1.UserInfo{Username: "sre", Groups: []string{"system:masters", "system:authenticated"}}

	BeforeAll(func() { mallory = newPerson("mallory") })

	leaveOut := func(ctx context.Context, namespace string) {
		selector := `{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["` + namespace + `"]}]}`
		for i, configuration := range configurations(ctx) {
			hooks := []int{2, 3}[i]
			var patch []map[string]any
			for hook := range hooks {
				patch = append(patch, map[string]any{"op": "add", "path": "/webhooks/" + strconv.Itoa(hook) + "/namespaceSelector", "value": json.RawMessage(selector)})
			}
			content, err := json.Marshal(patch)
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Patch(ctx, configuration, client.RawPatch(types.JSONPatchType, content))).To(Succeed())
		}
	}
	removeWebhooks := func(ctx context.Context, _ string) {
		for _, configuration := range configurations(ctx) {
			Expect(k8s.Delete(ctx, configuration)).To(Succeed())
		}
	}
	nothing := func(context.Context, string) {}
	narrow := func(ctx context.Context, namespace string) {
		_, binding := policy(ctx)
		Expect(k8s.Patch(ctx, binding, mergePatch(`{"spec":{"matchResources":{"namespaceSelector":{"matchExpressions":[`+
			`{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["`+namespace+`"]}]}}}}`))).To(Succeed())
	}
	remove := func(ctx context.Context, _ string) {
		policy, binding := policy(ctx)
		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		Expect(k8s.Delete(ctx, binding)).To(Succeed())
	}

	DescribeTable("starts nothing, whatever is taken away, and neither when it is back",
		func(ctx SpecContext, webhooks, policies func(context.Context, string), believed bool) {
			before := configurations(ctx)
			restoreWebhooks(ctx)
			forgivePolicy()
			stop := startOperator(&kubelet{})
			namespace := newNamespace(ctx, nil)
			bind(ctx, namespace, "mallory", "create", rbacv1.PolicyRule{
				APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"debugsessions"}, Verbs: []string{"create"},
			})
			pod := runningPod(ctx, namespace, "web")
			forged := newSession(namespace, "forged", "web")
			forged.Spec.ClassName = "standard"
			forged.Spec.Mode = v1alpha1.ModeEphemeralContainer
			forged.Spec.Requester = stampedFor(ctx, "/stamp/debugsessions", forged, rich)
			Expect(sealer(ctx).VerifySession(forged)).To(BeTrue(), "the seal is a true one")

			webhooks(ctx, namespace)
			if believed {
				// Nobody mends it while the operator is down. The API server learns of it within a second or so.
				stop()
				policies(ctx, namespace)
				Eventually(func() error { return mallory.Create(ctx, forged.DeepCopy()) }).Should(Succeed())
				Expect(k8s.Get(ctx, client.ObjectKeyFromObject(forged), forged)).To(Succeed())
				Expect(sealer(ctx).VerifySession(forged)).To(BeTrue())
				launchOperator(&kubelet{}, environment.WebhookInstallOptions.LocalServingPort)
			} else {
				policies(ctx, namespace)
				Expect(mallory.Create(ctx, forged.DeepCopy())).To(MatchError(ContainSubstring("spec.requester")))
			}
			for _, configuration := range before {
				restore(ctx, configuration)
			}
			Eventually(readiness(ctx)).Should(Equal(trusted))
			_, binding := policy(ctx)
			Expect(binding.Spec.MatchResources).To(BeNil(), "it is whole again")
			if believed {
				endsAs(ctx, forged, v1alpha1.OutcomeRejected, v1alpha1.ReasonNotTrusted)
			}
			refreshed(ctx, Default, pod)
			Expect(pod.Spec.EphemeralContainers).To(BeEmpty())
		},
		Entry("nothing", nothing, nothing, false),
		Entry("the policy narrowed", nothing, narrow, false),
		Entry("the policy gone", nothing, remove, false),
		Entry("a namespace left out of the webhooks", leaveOut, nothing, false),
		Entry("a namespace left out of the webhooks, and the policy narrowed", leaveOut, narrow, true),
		Entry("a namespace left out of the webhooks, and the policy gone", leaveOut, remove, true),
		Entry("the webhooks gone", removeWebhooks, nothing, false),
		Entry("the webhooks gone, and the policy narrowed", removeWebhooks, narrow, true),
		Entry("the webhooks gone, and the policy gone", removeWebhooks, remove, true),
	)
})
