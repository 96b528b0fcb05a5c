package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"debugsession.dev/operator/api/v1alpha1"
)

// person is somebody with a certificate of their own: the API server sees them, and not the administrator.
type person struct {
	client.Client
	user     *envtest.AuthenticatedUser
	warnings *warnings
}

// warnings are what the API server said beside its answers.
type warnings struct {
	mu   sync.Mutex
	said []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said
}

func newPerson(name string, groups ...string) *person {
	GinkgoHelper()
	user, err := environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	Expect(err).NotTo(HaveOccurred())
	config := rest.CopyConfig(user.Config())
	config.QPS = -1
	said := &warnings{}
	config.WarningHandler = said
	c, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return &person{Client: c, user: user, warnings: said}
}

// mayEdit lets somebody do with our kinds and with pods in the namespace what the role edit lets them: everything but write
// a status.
func mayEdit(ctx context.Context, namespace, user string) {
	GinkgoHelper()
	bind(ctx, namespace, user, "edit",
		rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"debugsessions", "debugapprovals"},
			Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
		},
		rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"pods"},
			Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
		})
}

// may gives somebody a verb on a class in the namespace.
func may(ctx context.Context, namespace, user, verb, class string) {
	GinkgoHelper()
	bind(ctx, namespace, user, verb+"-"+class, rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"debugclasses"}, ResourceNames: []string{class},
		Verbs: []string{verb},
	})
}

// cast makes a namespace, and names a class for it that alice may use and bob may approve. They may edit the namespace, and so
// may the others.
func cast(ctx context.Context, others ...string) (namespace, class string) {
	GinkgoHelper()
	namespace = newNamespace(ctx, nil)
	class = "of-" + namespace
	for _, user := range append([]string{"alice", "bob"}, others...) {
		mayEdit(ctx, namespace, user)
	}
	may(ctx, namespace, "alice", v1alpha1.VerbUse, class)
	may(ctx, namespace, "bob", v1alpha1.VerbApprove, class)
	return namespace, class
}

func bind(ctx context.Context, namespace, user, what string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: user + "-" + what}
	Expect(k8s.Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules})).To(Succeed())
	Expect(k8s.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
	// The API server's authorizer learns of it a moment later.
	Eventually(func(g Gomega) {
		for _, rule := range rules {
			for _, resource := range rule.Resources {
				name := strings.Join(rule.ResourceNames, "")
				g.Expect(allowed(ctx, user, namespace, rule.APIGroups[0], resource, rule.Verbs[0], name)).To(BeTrue())
			}
		}
	}).Should(Succeed())
}

// allowed asks the API server as the operator does.
func allowed(ctx context.Context, user, namespace, group, resource, verb, name string) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Group: group, Resource: resource, Verb: verb, Name: name,
		},
	}}
	Expect(k8s.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}

// newClass creates a class that allows what sessions of tests do, and what else the test says.
func newClass(ctx context.Context, name string, change ...func(*v1alpha1.DebugClass)) *v1alpha1.DebugClass {
	GinkgoHelper()
	class := &v1alpha1.DebugClass{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.DebugClassSpec{
			Modes:    []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer, v1alpha1.ModePodCopy},
			Profiles: []v1alpha1.Profile{v1alpha1.ProfileGeneral},
			MaxTTL:   metav1.Duration{Duration: time.Hour},
		},
	}
	for _, c := range change {
		c(class)
	}
	Expect(k8s.Create(ctx, class)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, class))).To(Succeed()) })
	return class
}

// kubectl runs the real one as somebody, with the manifest as its input.
func kubectl(as *person, manifest string, arguments ...string) (stdout, stderr string, err error) {
	GinkgoHelper()
	config, err := as.user.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(file, config, 0o600)).To(Succeed())
	run := func() {
		command := exec.Command(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"),
			append([]string{"--kubeconfig", file}, arguments...)...)
		command.Stdin = strings.NewReader(manifest)
		var out, errors strings.Builder
		command.Stdout, command.Stderr = &out, &errors
		err = command.Run()
		stdout, stderr = out.String(), errors.String()
	}
	// kubectl replace sends the version that it has just read: a status that the operator writes meanwhile is in its way.
	for end := time.Now().Add(patience); ; {
		run()
		if !strings.Contains(stderr, "(Conflict): error when replacing") || time.Now().After(end) {
			return stdout, stderr, err
		}
	}
}
