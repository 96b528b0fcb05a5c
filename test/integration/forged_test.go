package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
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
			UID: "forged", Operation: admissionv1.Create, Namespace: object.GetNamespace(), UserInfo: user,
			Object: runtime.RawExtension{Raw: raw},
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
	both := []client.Object{&admissionregistrationv1.MutatingWebhookConfiguration{},
		&admissionregistrationv1.ValidatingWebhookConfiguration{}}
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
func policy(ctx context.Context) (
	*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding,
) {
	GinkgoHelper()
	policy, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	for _, object := range []client.Object{policy, binding} {
		Expect(k8s.Get(ctx, client.ObjectKey{Name: admissionpolicy.Name}, object)).To(Succeed())
	}
	return policy, binding
}

// forgivePolicy leaves to the next specs a policy that is enforced, however it was written anew. It is done once the operator has
// stopped, so it must be called before that is started: one that has seen the policy broken would write it anew at once.
func forgivePolicy() {
	GinkgoHelper()
	DeferCleanup(func(ctx SpecContext) {
		Expect(operators).To(BeZero(), "an operator was started before forgivePolicy was called")
		policy, binding := policy(ctx)
		for _, object := range []client.Object{policy, binding} {
			Expect(k8s.Patch(ctx, object, mergePatch(fmt.Sprintf(`{"metadata":{"annotations":{"debugsession.dev/enforced-since":%q,`+
				`"debugsession.dev/enforced-generation":"%s.%d"}}}`,
				object.GetCreationTimestamp().UTC().Format(time.RFC3339), object.GetUID(), object.GetGeneration())))).To(Succeed())
		}
		policyEnforced(ctx)
	})
}

// patchPolicy changes the policy, its binding or both.
func patchPolicy(ofPolicy, ofBinding string) func(context.Context) {
	return func(ctx context.Context) {
		GinkgoHelper()
		policy, binding := policy(ctx)
		Expect(k8s.Patch(ctx, policy, mergePatch(ofPolicy))).To(Succeed())
		Expect(k8s.Patch(ctx, binding, mergePatch(ofBinding))).To(Succeed())
	}
}

// hookNames are the names of a configuration's webhooks, in their order.
func hookNames(configuration client.Object) (names []string) {
	switch of := configuration.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range of.Webhooks {
			names = append(names, of.Webhooks[i].Name)
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range of.Webhooks {
			names = append(names, of.Webhooks[i].Name)
		}
	}
	return names
}

// patchWebhooks adds something to every webhook.
func patchWebhooks(field, value string) func(context.Context) {
	return func(ctx context.Context) {
		GinkgoHelper()
		for _, configuration := range configurations(ctx) {
			var patch []map[string]any
			for hook := range hookNames(configuration) {
				patch = append(patch,
					map[string]any{"op": "add", "path": "/webhooks/" + strconv.Itoa(hook) + "/" + field, "value": json.RawMessage(value)})
			}
			content, err := json.Marshal(patch)
			Expect(err).NotTo(HaveOccurred())
			Expect(k8s.Patch(ctx, configuration, client.RawPatch(types.JSONPatchType, content))).To(Succeed())
		}
	}
}

// putBack puts the policy and its binding back as they were, as somebody does who hides that they were changed.
func putBack(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		now := object.DeepCopyObject().(client.Object)
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), now); apierrors.IsNotFound(err) {
			restore(ctx, object)
			continue
		}
		wanted := object.DeepCopyObject().(client.Object)
		wanted.SetResourceVersion(now.GetResourceVersion())
		wanted.SetUID(now.GetUID())
		Expect(k8s.Update(ctx, wanted)).To(Succeed())
	}
}

var _ = Describe("a seal that was forged at the webhook", Ordered, ContinueOnFailure, func() {
	var mallory *person
	rich := authenticationv1.UserInfo{Username: "sre", Groups: []string{"system:masters", "system:authenticated"}}

	BeforeAll(func() { mallory = newPerson("mallory") })

	const (
		never      = `{"matchLabels":{"never":"there"}}`
		notMallory = `[{"name":"mine","expression":"request.userInfo.username != 'mallory'"}]`
	)
	removePolicy := func(ctx context.Context) {
		policy, binding := policy(ctx)
		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		Expect(k8s.Delete(ctx, binding)).To(Succeed())
	}
	removeWebhooks := func(ctx context.Context) {
		for _, configuration := range configurations(ctx) {
			Expect(k8s.Delete(ctx, configuration)).To(Succeed())
		}
	}
	policies := []struct {
		are     string
		weakens func(context.Context)
	}{
		{"gone", removePolicy},
		{"narrowed by the binding's namespaceSelector", patchPolicy(`{}`, `{"spec":{"matchResources":{"namespaceSelector":`+never+`}}}`)},
		{"narrowed by the binding's objectSelector", patchPolicy(`{}`, `{"spec":{"matchResources":{"objectSelector":`+never+`}}}`)},
		{"bound to audit alone", patchPolicy(`{}`, `{"spec":{"validationActions":["Audit"]}}`)},
		{"bound to warn alone", patchPolicy(`{}`, `{"spec":{"validationActions":["Warn"]}}`)},
		{"bound to parameters that are not there", patchPolicy(`{"spec":{"paramKind":{"apiVersion":"v1","kind":"ConfigMap"}}}`,
			`{"spec":{"paramRef":{"name":"none","namespace":"default","parameterNotFoundAction":"Allow"}}}`)},
		{"narrowed by a condition", patchPolicy(`{"spec":{"matchConditions":`+notMallory+`}}`, `{}`)},
		{"narrowed by its namespaceSelector", patchPolicy(`{"spec":{"matchConstraints":{"namespaceSelector":`+never+`}}}`, `{}`)},
	}

	// forging is a session that is sealed for somebody who may all.
	forging := func(ctx context.Context, namespace string) *v1alpha1.DebugSession {
		GinkgoHelper()
		bind(ctx, namespace, "mallory", "create", rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"debugsessions"}, Verbs: []string{"create"},
		})
		forged := newSession(namespace, "forged", "web")
		forged.Spec.ClassName = "standard"
		forged.Spec.Mode = v1alpha1.ModeEphemeralContainer
		forged.Spec.Requester = stampedFor(ctx, "/stamp/debugsessions", forged, rich)
		Expect(sealer(ctx).VerifySession(forged)).To(BeTrue(), "the seal is a true one")
		return forged
	}
	refused := MatchError(ContainSubstring("spec.requester"))

	webhooks := []struct {
		are     string
		weakens func(context.Context)
	}{
		{"there", func(context.Context) {}},
		{"narrowed by a namespaceSelector", patchWebhooks("namespaceSelector", never)},
		{"narrowed by an objectSelector", patchWebhooks("objectSelector", never)},
		{"narrowed by a condition", patchWebhooks("matchConditions", notMallory)},
		{"gone", removeWebhooks},
	}

	// The operator is down meanwhile, so that nothing is mended: the API server learns of a change of the policy within a second or so.
	It("starts nothing, whatever the policy and the webhooks were meanwhile", func(ctx SpecContext) {
		before := configurations(ctx)
		restoreWebhooks(ctx)
		forgivePolicy()
		stop := startOperator(&kubelet{})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "web")
		forged := forging(ctx, namespace)
		whole, bound := policy(ctx)
		stop()
		removeWebhooks(ctx)
		believed := []*v1alpha1.DebugSession{}
		for _, policies := range policies {
			Eventually(func() error {
				return mallory.Create(ctx, forged.DeepCopy(), client.DryRunAll)
			}).Should(refused, "before the policy is "+policies.are)
			policies.weakens(ctx)
			for _, webhooks := range webhooks {
				combination := "the policy is " + policies.are + ", and the webhooks are " + webhooks.are
				for _, configuration := range before {
					restore(ctx, configuration)
				}
				webhooks.weakens(ctx)
				session := forged.DeepCopy()
				session.Name = "forged-" + strconv.Itoa(len(believed))
				session.Status.RequesterVerifiedAt = ptr.To(metav1.Now()) // which the API server does not store
				if webhooks.are == "there" {
					Eventually(func() error { return mallory.Create(ctx, session.DeepCopy(), client.DryRunAll) }).
						Should(MatchError(ContainSubstring("failed calling webhook")), combination)
					continue
				}
				Eventually(func() error { return mallory.Create(ctx, session.DeepCopy()) }).Should(Succeed(), combination)
				believed = append(believed, session)
			}
			putBack(ctx, whole, bound)
		}
		for _, configuration := range before {
			restore(ctx, configuration)
		}
		launchOperator(&kubelet{}, environment.WebhookInstallOptions.LocalServingPort)
		Eventually(readiness(ctx)).Should(Equal(trusted))
		for _, session := range believed {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(session), session)).To(Succeed())
			Expect(sealer(ctx).VerifySession(session)).To(BeTrue())
			endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonNotTrusted)
		}
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).To(BeEmpty())
	})

	DescribeTable("is refused by the policy, or by the webhooks while the operator mends the policy", func(ctx SpecContext,
		weaken func(context.Context), called bool) {
		before := configurations(ctx)
		restoreWebhooks(ctx)
		forgivePolicy()
		startOperator(&kubelet{})
		Eventually(readiness(ctx)).Should(Equal(trusted))
		namespace := newNamespace(ctx, nil)
		pod := runningPod(ctx, namespace, "web")
		forged := forging(ctx, namespace)
		whole, bound := policy(ctx)
		weaken(ctx)
		Expect(mallory.Create(ctx, forged.DeepCopy())).To(refused)
		if called {
			for _, policies := range policies {
				policies.weakens(ctx)
				Expect(mallory.Create(ctx, forged.DeepCopy())).To(refused, policies.are)
				Eventually(func(g Gomega) {
					now, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{},
						&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
					g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(whole), now)).To(Succeed())
					g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(bound), binding)).To(Succeed())
					g.Expect(now.Spec).To(Equal(whole.Spec))
					g.Expect(binding.Spec).To(Equal(bound.Spec))
				}).Should(Succeed(), policies.are)
			}
		}
		for _, configuration := range before {
			restore(ctx, configuration)
		}
		Eventually(readiness(ctx)).Should(Equal(trusted))
		refreshed(ctx, Default, pod)
		Expect(pod.Spec.EphemeralContainers).To(BeEmpty())
	},
		Entry("while the webhooks are there", func(context.Context) {}, true),
		Entry("while the webhooks have a selector", patchWebhooks("namespaceSelector", never), false),
		Entry("while the webhooks have a condition", patchWebhooks("matchConditions", notMallory), false),
		Entry("while the webhooks are gone", removeWebhooks, false),
	)
})
