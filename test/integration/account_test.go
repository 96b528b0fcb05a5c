package integration

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/manifests"
)

// operatorName is who the operator is in a cluster.
const operatorName = "system:serviceaccount:" + operator.DefaultNamespace + ":debugsession-operator"

// installAccount makes the operator's namespace, gives its service account the roles of config/rbac, and installs the policy by
// which the API server itself holds identities.
func installAccount(ctx context.Context) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operator.DefaultNamespace}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	account, err := manifests.Account(filepath.Join("..", ".."))
	Expect(err).NotTo(HaveOccurred())
	createObjects(ctx, account)
}

func createAll(ctx context.Context, file string) {
	objects, err := manifests.Read(file)
	Expect(err).NotTo(HaveOccurred())
	createObjects(ctx, objects)
}

func createObjects(ctx context.Context, objects []*unstructured.Unstructured) {
	for _, object := range objects {
		Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, object))).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
	}
}

// accountConfig is what the operator connects with: the API server sees its service account, and the tests its requests.
func accountConfig() *rest.Config {
	config := rest.CopyConfig(restConfig)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counted{next} })
	config.Impersonate = rest.ImpersonationConfig{
		UserName: operatorName,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + operator.DefaultNamespace, "system:authenticated"},
	}
	return config
}

// requests is what the operators have asked of the API server.
var requests struct {
	mu   sync.Mutex
	made []string // method and path
}

// reviewing is how long the API server takes to answer an operator who may do what, beside the time that it needs.
var reviewing atomic.Int64

// slowReviews has it take so long, until the test ends.
func slowReviews(wait time.Duration) {
	reviewing.Store(int64(wait))
	DeferCleanup(func() { reviewing.Store(0) })
}

type counted struct{ http.RoundTripper }

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	method := r.Method
	if r.URL.Query().Get("watch") == "true" {
		method = "WATCH"
	}
	requests.mu.Lock()
	requests.made = append(requests.made, method+" "+r.URL.Path)
	requests.mu.Unlock()
	if wait := time.Duration(reviewing.Load()); wait > 0 && strings.HasSuffix(r.URL.Path, "/subjectaccessreviews") {
		time.Sleep(wait)
	}
	return c.RoundTripper.RoundTrip(r)
}

// askedSince is all that they have asked since so many requests, about the namespace or about no test's, but for what is done for many
// sessions at once: watches that the API server ends from time to time, the count in a class's status, and where the chain of audit
// records ends. Sessions that other specs have left waiting in other namespaces have deadlines of their own, and then records.
func askedSince(count int, namespace string) []string {
	requests.mu.Lock()
	defer requests.mu.Unlock()
	var made []string
	for _, request := range requests.made[count:] {
		elsewhere := strings.Contains(request, "/namespaces/test-") && !strings.Contains(request, "/namespaces/"+namespace+"/")
		forMany := strings.HasPrefix(request, "WATCH ") || strings.Contains(request, "/debugclasses/") ||
			strings.HasSuffix(request, "/configmaps/"+audit.AnchorName)
		if !forMany && !elsewhere {
			made = append(made, request)
		}
	}
	return made
}

func askedSoFar() int {
	requests.mu.Lock()
	defer requests.mu.Unlock()
	return len(requests.made)
}

// requestsFor is how many of them were about this namespace, and what they were.
func requestsFor(namespace string) []string {
	requests.mu.Lock()
	defer requests.mu.Unlock()
	var made []string
	for _, request := range requests.made {
		if strings.Contains(request, "/namespaces/"+namespace+"/") {
			made = append(made, request)
		}
	}
	return made
}
