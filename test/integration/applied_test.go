package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

// Whoever applies a manifest again, as GitOps tools do all the time, must find it as they left it: what admission rewrote would be
// drift for ever, or refused.
var _ = Describe("a manifest that is applied again", Ordered, ContinueOnFailure, func() {
	var admin, alice, bob *person

	BeforeAll(func() {
		startOperator(&kubelet{})
		admin, alice, bob = newPerson("admin", "system:masters"), newPerson("alice"), newPerson("bob")
	})

	// thrice writes the manifests three times, and expects that only the first time changes something.
	thrice := func(ctx context.Context, as *person, manifests []string, first, again string, flags ...string) {
		GinkgoHelper()
		all := strings.Join(manifests, "\n---\n")
		_, stderr, err := kubectl(as, all, append([]string{first, "-f", "-"}, flags...)...)
		Expect(err).NotTo(HaveOccurred(), "%s%s", stderr, all)
		was := settled(ctx, manifests)
		Eventually(func(g Gomega) { // the operator may write of its own while it is tried
			before := settled(ctx, manifests)
			for range 2 {
				_, stderr, err := kubectl(as, all, append([]string{again, "-f", "-"}, flags...)...)
				Expect(err).NotTo(HaveOccurred(), "%s%s", stderr, all)
			}
			after := settled(ctx, manifests)
			Expect(after).To(HaveLen(len(was)))
			for name, is := range after {
				Expect(is.authored).To(Equal(was[name].authored), "written again, %s changed", name)
				g.Expect(is.version).To(Equal(before[name].version), "%s is written each time", name)
			}
		}).WithTimeout(4 * patience).Should(Succeed())
	}

	DescribeTable("is unchanged", func(ctx SpecContext, first, again string, flags ...string) {
		pages, count := examples(), 0
		for page, manifests := range pages {
			By(page)
			makeNamespaces(ctx, manifests)
			manifests = slices.DeleteFunc(manifests, func(manifest string) bool { // those that are there already
				object := parsed(manifest)
				return first == "create" && object.Name == "standard" || object.Kind == "Namespace"
			})
			if len(manifests) == 0 {
				continue
			}
			thrice(ctx, admin, manifests, first, again, flags...)
			count += len(manifests)
			for _, manifest := range slices.Backward(manifests) {
				discard(ctx, manifest)
			}
		}
		Expect(count).To(BeNumerically(">", 15), "the samples and the documents have that many")
	},
		Entry("client side", "apply", "apply"),
		Entry("server side", "apply", "apply", "--server-side", "--force-conflicts"),
		Entry("replaced", "create", "replace"),
	)

	DescribeTable("is as its author wrote it, be it an approval that is bound", func(ctx SpecContext, ttl, again string, flags ...string) {
		namespace, class := cast(ctx)
		newClass(ctx, class, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 9}
			c.Spec.MaxTTL.Duration = 4 * time.Hour
		})
		runningPod(ctx, namespace, "web")
		flags = append(flags, "-n", namespace)
		session := "apiVersion: debugsession.dev/v1alpha1\nkind: DebugSession\nmetadata: {name: hang, namespace: " + namespace + "}\n" +
			"spec: {className: " + class + ", ttl: " + ttl + ", notAfter: '2099-01-01T02:00:00+02:00', target: {podName: web},\n" +
			"  debugger: {image: 'busybox:1.36', command: [sh]}, requester: {username: alice, groups: ['system:authenticated']}}\n"
		thrice(ctx, alice, []string{session}, "apply", "apply", flags...)

		asking := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hang"}}
		reaches(ctx, asking, v1alpha1.PhaseAwaitingApproval)
		var approvals []string
		for name, more := range map[string]string{
			"bare": "", "ttl": ", ttl: " + again, "hash": ", ttl: " + ttl + ", requestHash: '" + asking.Status.Request.Hash + "'",
			"uid": ", sessionUID: " + string(asking.UID), "approver": ", approver: {username: bob}",
		} {
			approvals = append(approvals,
				"apiVersion: debugsession.dev/v1alpha1\nkind: DebugApproval\nmetadata: {name: "+name+", namespace: "+namespace+"}\n"+
					"spec: {sessionName: hang, decision: Approve"+more+"}\n")
		}
		thrice(ctx, bob, approvals, "apply", "apply", flags...)
		approval := &v1alpha1.DebugApproval{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "ttl"}, approval)).To(Succeed())
		Expect(approval.Spec.SessionUID).To(Equal(asking.UID))

		// What means the same may also be written otherwise.
		_, stderr, err := kubectl(bob,
			"apiVersion: debugsession.dev/v1alpha1\nkind: DebugApproval\nmetadata: {name: ttl, namespace: "+namespace+"}\n"+
				"spec: {sessionName: hang, decision: Approve, ttl: "+ttl+"}\n", append([]string{"apply", "-f", "-"}, flags...)...)
		Expect(err).NotTo(HaveOccurred(), stderr)
		_, stderr, err = kubectl(bob,
			"apiVersion: debugsession.dev/v1alpha1\nkind: DebugApproval\nmetadata: {name: ttl, namespace: "+namespace+"}\n"+
				"spec: {sessionName: hang, decision: Approve, ttl: 31m}\n", append([]string{"apply", "-f", "-"}, flags...)...)
		Expect(err).To(HaveOccurred())
		Expect(stderr).To(ContainSubstring("an approval is immutable"))
		judged(ctx, approval, v1alpha1.ReasonCounted)
	},
		Entry("30m, client side", "30m", "30m0s"),
		Entry("30m, server side", "30m", "1800s", "--server-side"),
		Entry("1h, client side", "1h", "60m"),
		Entry("5400s, server side", "5400s", "1h30m", "--server-side"),
	)
})

// examples are the samples, the class that comes with the installation, and all whole manifests in README and docs, by the page they
// are on.
func examples() map[string][]string {
	GinkgoHelper()
	pages := map[string][]string{}
	root := filepath.Join("..", "..")
	samples, err := filepath.Glob(filepath.Join(root, "config", "samples", "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, sample := range append(samples, filepath.Join(root, "config", "classes", "standard.yaml")) {
		if filepath.Base(sample) != "kustomization.yaml" {
			pages["samples"] = append(pages["samples"], documents(read(sample))...)
		}
	}
	documented, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	Expect(err).NotTo(HaveOccurred())
	for _, page := range append(documented, filepath.Join(root, "README.md")) {
		for _, block := range yamlBlock.FindAllStringSubmatch(read(page), -1) {
			pages[page] = append(pages[page], documents(block[1])...)
		}
	}
	for _, manifests := range pages { // classes first: a session without its class is warned of
		slices.SortStableFunc(manifests, func(a, b string) int { return order(a) - order(b) })
	}
	return pages
}

// discard deletes a manifest's object, and waits until it is gone. The class standard stays: the other tests start with it. A
// namespace would never go without a controller.
func discard(ctx context.Context, manifest string) {
	GinkgoHelper()
	object := parsed(manifest)
	if object.Kind == "Namespace" || object.Name == "standard" {
		return
	}
	Expect(client.IgnoreNotFound(k8s.Delete(ctx, object))).To(Succeed())
	if object.Kind == "PersistentVolumeClaim" { // no controller is here that lets it go
		Expect(client.IgnoreNotFound(k8s.Patch(ctx, object, mergePatch(`{"metadata":{"finalizers":null}}`)))).To(Succeed())
	}
	Eventually(func() map[string]kept { return stored(ctx, []string{manifest}) }).Should(BeEmpty())
}

// settleTime is longer than the operator takes for its next write.
const settleTime = 700 * time.Millisecond

var yamlBlock = regexp.MustCompile("(?s)(?:^|\n)```yaml\n(.*?)\n```")

// documents are the whole objects of a YAML text. A page also shows parts of some.
func documents(text string) []string {
	var whole []string
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(text, -1) {
		object := parsed(document)
		if strings.HasPrefix(object.APIVersion, "argoproj.io/") { // of a tool that is not here: test/flux/argocd.sh has the same
			continue
		}
		if object.Kind != "" && object.Name != "" {
			whole = append(whole, strings.ReplaceAll(document, "sha256:…", "sha256:0"))
		}
	}
	return whole
}

func order(manifest string) int {
	return slices.Index([]string{"Namespace", "DebugClass", "DebugSession", "DebugApproval"}, parsed(manifest).Kind)
}

func parsed(manifest string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	_ = yaml.Unmarshal([]byte(manifest), object) // what is no object has no kind
	return object
}

func read(path string) string {
	GinkgoHelper()
	text, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// makeNamespaces makes those that the manifests name and do not bring.
func makeNamespaces(ctx context.Context, manifests []string) {
	GinkgoHelper()
	for _, manifest := range manifests {
		name := parsed(manifest).Namespace
		if name == "" {
			continue
		}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, namespace))).To(Succeed())
	}
}

// kept is an object as the API server has it, as texts: a difference shows what was written.
type kept struct {
	authored  string // all but what the operator writes
	judgement string // what the operator writes
	version   string
}

// stored are the manifests' objects as they are in the API server, as far as they are there.
func stored(ctx context.Context, manifests []string) map[string]kept {
	GinkgoHelper()
	there := map[string]kept{}
	for _, manifest := range manifests {
		object := parsed(manifest)
		found := &unstructured.Unstructured{}
		found.SetGroupVersionKind(object.GroupVersionKind())
		err := k8s.Get(ctx, client.ObjectKeyFromObject(object), found)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		if err != nil {
			continue
		}
		there[object.Kind+"/"+object.Name] = keep(found)
	}
	return there
}

func keep(object *unstructured.Unstructured) kept {
	GinkgoHelper()
	if slices.Contains([]string{"DebugClass", "DebugSink"}, object.GetKind()) { // their status tells of sessions, at any time
		return kept{authored: fmt.Sprint(object.GetGeneration())}
	}
	operators := func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == operatorManager() }
	k := kept{version: object.GetResourceVersion(), judgement: asYAML(object.Object["status"], object.GetFinalizers())}
	authors := slices.DeleteFunc(object.GetManagedFields(), operators)
	for i := range authors {
		authors[i].Time = nil // moves on with what the operator wrote between
	}
	object.SetManagedFields(authors)
	object.SetResourceVersion("")
	object.SetFinalizers(nil)
	delete(object.Object, "status")
	k.authored = asYAML(object.Object)
	return k
}

// operatorManager is the manager of what the operator writes, as the API server takes it from a request.
func operatorManager() string {
	manager, _, _ := strings.Cut(rest.DefaultKubernetesUserAgent(), "/")
	return manager
}

func asYAML(values ...any) string {
	GinkgoHelper()
	text, err := yaml.Marshal(values)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// settled waits until the operator has judged the manifests' objects, and nobody writes them any more.
func settled(ctx context.Context, manifests []string) map[string]kept {
	GinkgoHelper()
	var last map[string]kept
	Eventually(func() error {
		now := stored(ctx, manifests)
		for name, object := range now {
			if judged := strings.HasPrefix(name, "DebugSession/") || strings.HasPrefix(name, "DebugApproval/"); judged &&
				!strings.Contains(object.judgement, "conditions:") {
				return fmt.Errorf("%s has no status", name)
			}
		}
		if !maps.Equal(now, last) {
			last = now
			return errors.New("they are still written")
		}
		return nil
	}).WithPolling(settleTime).Should(Succeed())
	return last
}
