package flux

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

// flow is a row of a table in docs/gitops.md: what is done, and a test of what comes of it.
type flow struct {
	name string
	team string // whose it is in the repository
	run  func(ctx context.Context, f *run)
}

// run is a flow that runs, with a repository and a team of its own.
type run struct {
	Gomega
	t    *testing.T
	w    *world
	team string
	repo *repository
}

// begin lays out a repository as the example is, adds a team to it as its README says, and has Flux apply it.
func begin(ctx context.Context, t *testing.T, w *world, f flow, results *table) {
	r := &run{Gomega: NewWithT(t), t: t, w: w, team: f.team, repo: w.git.newRepository(t, f.team)}
	t.Cleanup(func() { results.add(f.name, r.repo.commits, w.written(NewWithT(t), f.team, ""), t) })
	r.Expect(os.CopyFS(r.repo.tree, os.DirFS(example))).To(Succeed())
	r.repo.commit("Lay out the repository")
	if f.team != exampleTeam {
		r.addTeam()
	}
	for _, object := range r.bootstrap() {
		r.Expect(w.client.Create(ctx, object)).To(Succeed())
	}
	r.settled(ctx, r.repo.head())
	r.runCheckout(ctx, "checkout")
	f.run(ctx, r)
}

const exampleTeam = "shop"

// addTeam does what the README says of another team, its own sessions and approvals left out.
func (r *run) addTeam() {
	r.t.Helper()
	for _, folder := range []string{"teams", "sessions", "approvals"} {
		from, to := filepath.Join(r.repo.tree, folder, exampleTeam), filepath.Join(r.repo.tree, folder, r.team)
		r.Expect(os.CopyFS(to, os.DirFS(from))).To(Succeed())
		files, err := filepath.Glob(filepath.Join(to, "*.yaml"))
		r.Expect(err).NotTo(HaveOccurred())
		for _, file := range files {
			if folder != "teams" {
				r.Expect(os.Remove(file)).To(Succeed())
				continue
			}
			content, err := os.ReadFile(file)
			r.Expect(err).NotTo(HaveOccurred())
			r.Expect(os.WriteFile(file, []byte(strings.ReplaceAll(string(content), exampleTeam, r.team)), 0o600)).To(Succeed())
		}
	}
	r.repo.commit("Add team " + r.team)
}

// bootstrap is the example's, under names of this flow. The classes are the cluster's: those of the example's own flow.
func (r *run) bootstrap() []client.Object {
	r.t.Helper()
	text := strings.ReplaceAll(r.repo.read("bootstrap.yaml"), "https://git.example.com/platform/debug.git", r.repo.url)
	path := filepath.Join(r.t.TempDir(), "bootstrap.yaml")
	r.Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	var all []client.Object
	for _, object := range objects(r, path) {
		if r.team != exampleTeam {
			switch object.GetName() {
			case "debug-classes":
				continue
			case "debug-teams":
				unstructured.RemoveNestedField(object.Object, "spec", "dependsOn")
				r.Expect(unstructured.SetNestedField(object.Object, "./teams/"+r.team, "spec", "path")).To(Succeed())
				r.Expect(unstructured.SetNestedField(object.Object, r.team, "spec", "sourceRef", "name")).To(Succeed())
				object.SetName(r.team + "-teams")
			default:
				object.SetName(r.team)
			}
		}
		all = append(all, object)
	}
	return all
}

// What of Flux a flow has.
var (
	gitRepositories = schema.GroupVersionKind{Group: "source.toolkit.fluxcd.io", Version: "v1", Kind: "GitRepository"}
	kustomizations  = schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}
)

func (r *run) gitops() string { return r.team + "-gitops" }

func (r *run) teams() types.NamespacedName {
	if r.team == exampleTeam {
		return types.NamespacedName{Namespace: fluxNamespace, Name: "debug-teams"}
	}
	return types.NamespacedName{Namespace: fluxNamespace, Name: r.team + "-teams"}
}

func (r *run) of(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: r.gitops(), Name: name}
}

func (r *run) sources() []types.NamespacedName {
	top := types.NamespacedName{Namespace: fluxNamespace, Name: r.team}
	if r.team == exampleTeam {
		top.Name = "debug"
	}
	return []types.NamespacedName{top, r.of("debug")}
}

// request has Flux look again at once, as `flux reconcile` does.
func (r *run) request(ctx context.Context, kind schema.GroupVersionKind, key types.NamespacedName) (token string) {
	r.t.Helper()
	token = time.Now().Format(time.RFC3339Nano)
	r.Expect(client.IgnoreNotFound(r.w.client.Patch(ctx, object(kind, key), client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":%q}}}`, token))))).To(Succeed())
	return token
}

func object(kind schema.GroupVersionKind, key types.NamespacedName) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(key.Namespace)
	u.SetName(key.Name)
	return u
}

// outcome is how a Kustomization's last reconciliation went: the status and the message of its condition Ready.
type outcome struct{ Ready, Message string }

// kustomization is a Kustomization as it is, and whether it has done all that there is to do about its present spec.
func (r *run) kustomization(ctx context.Context, g Gomega, key types.NamespacedName) (u *unstructured.Unstructured, said outcome) {
	u = object(kustomizations, key)
	g.Expect(r.w.client.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		condition := c.(map[string]any)
		if condition["type"] == "Ready" && condition["observedGeneration"] == u.GetGeneration() {
			said = outcome{condition["status"].(string), condition["message"].(string)}
		}
	}
	return u, said
}

// tries waits until Flux has tried a revision, and returns how that went.
func (r *run) tries(ctx context.Context, key types.NamespacedName, revision string) (said outcome) {
	r.t.Helper()
	for _, source := range r.sources() {
		r.request(ctx, gitRepositories, source)
	}
	r.Eventually(func(g Gomega) {
		var u *unstructured.Unstructured
		u, said = r.kustomization(ctx, g, key)
		attempted, _, _ := unstructured.NestedString(u.Object, "status", "lastAttemptedRevision")
		g.Expect(attempted).To(Equal(revision), key.String())
		g.Expect(said.Ready).To(BeElementOf("True", "False"), "%s: %s", key, said.Message)
	}).WithContext(ctx).Should(Succeed())
	return said
}

// settled is how it went with a revision for the team's sessions and approvals.
func (r *run) settled(ctx context.Context, revision string) (sessions, approvals outcome) {
	r.t.Helper()
	r.Expect(r.tries(ctx, r.teams(), revision)).To(HaveField("Ready", "True"))
	return r.tries(ctx, r.of("sessions"), revision), r.tries(ctx, r.of("approvals"), revision)
}

// push commits, and expects Flux to apply all of it.
func (r *run) push(ctx context.Context, message string) {
	r.t.Helper()
	r.applied(ctx, r.repo.commit(message))
}

// revert takes the last commit back, and expects Flux to apply that.
func (r *run) revert(ctx context.Context) {
	r.t.Helper()
	r.applied(ctx, r.repo.revert())
}

func (r *run) applied(ctx context.Context, revision string) {
	r.t.Helper()
	sessions, approvals := r.settled(ctx, revision)
	r.Expect(sessions.Ready).To(Equal("True"), sessions.Message)
	r.Expect(approvals.Ready).To(Equal("True"), approvals.Message)
}

// pushRefused commits, and returns why Flux could not apply the team's sessions.
func (r *run) pushRefused(ctx context.Context, message string) string {
	r.t.Helper()
	sessions, _ := r.settled(ctx, r.repo.commit(message))
	r.Expect(sessions.Ready).To(Equal("False"))
	return sessions.Message
}

// again has Flux apply once more what it has, and returns how that went.
func (r *run) again(ctx context.Context, name string) (said outcome) {
	r.t.Helper()
	token := r.request(ctx, kustomizations, r.of(name))
	r.Eventually(func(g Gomega) {
		var u *unstructured.Unstructured
		u, said = r.kustomization(ctx, g, r.of(name))
		handled, _, _ := unstructured.NestedString(u.Object, "status", "lastHandledReconcileAt")
		g.Expect(handled).To(Equal(token))
		g.Expect(said.Ready).To(BeElementOf("True", "False"))
	}).WithContext(ctx).Should(Succeed())
	return said
}

// runCheckout has a Deployment of the team's run as one pod.
func (r *run) runCheckout(ctx context.Context, name string) {
	r.t.Helper()
	labels := map[string]string{"app": name}
	containers := []corev1.Container{{Name: "app", Image: "app:1"}}
	r.Expect(r.w.client.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.team, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: containers}},
		},
	})).To(Succeed())
	r.Expect(client.IgnoreAlreadyExists(r.w.client.Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.team, Name: "default"},
	}))).To(Succeed())
	r.Expect(r.w.client.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.team, Name: name + "-0", Labels: labels},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: containers},
	})).To(Succeed())
	r.Eventually(func(g Gomega) {
		pod := &corev1.Pod{}
		g.Expect(r.w.client.Get(ctx, client.ObjectKey{Namespace: r.team, Name: name + "-0"}, pod)).To(Succeed())
		g.Expect(pod.Status.Phase).To(Equal(corev1.PodRunning))
	}).WithContext(ctx).Should(Succeed())
}

// The example's files, which flows write others after.
const (
	merged = "2025-11-24-checkout-hang"   // the merge is the approval
	asking = "2025-11-26-checkout-memory" // waits for approval
)

func (r *run) sessionFile(name string) string  { return "sessions/" + r.team + "/" + name + ".yaml" }
func (r *run) approvalFile(name string) string { return "approvals/" + r.team + "/" + name + ".yaml" }

// writeSession writes a session's file after one of the example.
func (r *run) writeSession(name, after string, change ...func(s *v1alpha1.DebugSession)) {
	r.t.Helper()
	session := &v1alpha1.DebugSession{}
	text := strings.ReplaceAll(r.repo.read("sessions/"+exampleTeam+"/"+after+".yaml"), exampleTeam, r.team)
	r.Expect(yaml.UnmarshalStrict([]byte(text), session)).To(Succeed())
	session.Name = name
	session.Spec.NotAfter = &metav1.Time{Time: time.Now().Add(time.Hour).Truncate(time.Second)}
	for _, c := range change {
		c(session)
	}
	r.writeObject(r.sessionFile(name), session)
}

// changeFile changes an object in the repository.
func changeFile[T any](r *run, path string, change func(*T)) {
	r.t.Helper()
	object := new(T)
	r.Expect(yaml.UnmarshalStrict([]byte(r.repo.read(path)), object)).To(Succeed())
	change(object)
	r.writeObject(path, object)
}

func (r *run) writeObject(path string, object any) {
	r.t.Helper()
	text, err := yaml.Marshal(object)
	r.Expect(err).NotTo(HaveOccurred())
	var content map[string]any
	r.Expect(yaml.Unmarshal(text, &content)).To(Succeed())
	delete(content, "status")
	text, err = yaml.Marshal(content)
	r.Expect(err).NotTo(HaveOccurred())
	r.repo.write(path, string(text))
}

func notAfter(in time.Duration) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		s.Spec.NotAfter = &metav1.Time{Time: time.Now().Add(in).Truncate(time.Second)}
	}
}

// session is one as it is in the cluster.
func (r *run) session(ctx context.Context, g Gomega, name string) *v1alpha1.DebugSession {
	session := &v1alpha1.DebugSession{}
	g.Expect(r.w.client.Get(ctx, client.ObjectKey{Namespace: r.team, Name: name}, session)).To(Succeed())
	return session
}

// reaches waits for a session's phase.
func (r *run) reaches(ctx context.Context, name string, phase v1alpha1.Phase) (session *v1alpha1.DebugSession) {
	r.t.Helper()
	r.Eventually(func(g Gomega) {
		session = r.session(ctx, g, name)
		g.Expect(session.Status.Phase).To(Equal(phase), "%s, conditions %v", name, session.Status.Conditions)
	}).WithContext(ctx).Should(Succeed())
	return session
}

// ends waits for a session's end, until the operator has let go of it.
func (r *run) ends(ctx context.Context, name string, as v1alpha1.Outcome) (session *v1alpha1.DebugSession) {
	r.t.Helper()
	r.reaches(ctx, name, v1alpha1.PhaseEnded)
	r.Eventually(func(g Gomega) {
		session = r.session(ctx, g, name)
		g.Expect(session.Finalizers).To(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
	r.Expect(session.Status.Outcome).To(Equal(as))
	return session
}

func (r *run) written() writes { return r.w.written(r, r.team, "") }

// debuggers is how many were put into the checkout, and how many of them run.
func (r *run) debuggers(ctx context.Context, g Gomega) (all, running int) {
	pod := &corev1.Pod{}
	g.Expect(r.w.client.Get(ctx, client.ObjectKey{Namespace: r.team, Name: "checkout-0"}, pod)).To(Succeed())
	for i := range pod.Status.EphemeralContainerStatuses {
		if pod.Status.EphemeralContainerStatuses[i].State.Running != nil {
			running++
		}
	}
	return len(pod.Spec.EphemeralContainers), running
}
