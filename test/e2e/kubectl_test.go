package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// tryKubectl runs kubectl and returns what it printed. The error holds what it said.
func tryKubectl(args ...string) (string, error) { return feedKubectl("", args...) }

func feedKubectl(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // a kubectl that hangs fails its test
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// kubectl runs kubectl, which must succeed, and returns what it printed.
func kubectl(args ...string) string {
	GinkgoHelper()
	out, err := tryKubectl(args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// namespace is one test's own.
type namespace string

// made are the namespaces of this process's tests. They are deleted without waiting: the suite's end sees that they went.
var made []namespace

// newNamespace makes a namespace with labels such as pod-security.kubernetes.io/enforce=restricted. It is deleted after
// the test, and after a failed one what a person would look at is shown first.
func newNamespace(labels ...string) namespace {
	GinkgoHelper()
	n := namespace(fmt.Sprintf("e2e-%d-%d-%d", time.Now().Unix()%1e6, GinkgoParallelProcess(), len(made)))
	kubectl("create", "namespace", string(n))
	made = append(made, n)
	DeferCleanup(func() {
		if CurrentSpecReport().Failed() {
			n.show()
		}
		_, _ = tryKubectl("delete", "namespace", string(n), "--wait=false", "--ignore-not-found")
	})
	if len(labels) > 0 {
		kubectl(append([]string{"label", "namespace", string(n)}, labels...)...)
	}
	return n
}

// awaitNamespacesGone sees that no session, copy or finalizer keeps a namespace.
func awaitNamespacesGone() {
	for _, n := range made {
		_, err := tryKubectl("wait", "--for=delete", "namespace/"+string(n), "--timeout=90s")
		Expect(err).NotTo(HaveOccurred(), "namespace %s does not go", n)
	}
}

func (n namespace) show() {
	for _, args := range [][]string{
		{"-n", string(n), "get", "pods", "-o", "wide"},
		{"-n", string(n), "describe", "debugsessions"},
		{"-n", string(n), "events"},
		{"-n", operatorNamespace, "logs", "-l", operatorPods, "--tail=30"},
	} {
		out, err := tryKubectl(args...)
		GinkgoWriter.Println("$ kubectl", strings.Join(args, " "))
		GinkgoWriter.Println(out, err)
	}
}

// kubectl runs kubectl in the namespace.
func (n namespace) kubectl(args ...string) string {
	GinkgoHelper()
	return kubectl(append([]string{"-n", string(n)}, args...)...)
}

func (n namespace) apply(manifest string) {
	GinkgoHelper()
	Expect(n.tryApply(manifest)).To(Succeed())
}

func (n namespace) tryApply(manifest string) error {
	_, err := feedKubectl(manifest, "-n", string(n), "apply", "-f", "-")
	return err
}

// session applies a session. Its spec is YAML as in a manifest, in a block of two spaces.
func (n namespace) session(name, spec string) {
	GinkgoHelper()
	n.apply(sessionManifest(name, spec))
}

func sessionManifest(name, spec string) string {
	return "apiVersion: debugsession.dev/v1alpha1\nkind: DebugSession\nmetadata: {name: " + name + "}\nspec:\n" + spec
}

// patch changes a session's spec by a JSON merge patch.
func (n namespace) patch(name, spec string) {
	GinkgoHelper()
	n.kubectl("patch", "dbg", name, "--type=merge", "-p", `{"spec":`+spec+`}`)
}

// pod applies a pod with one container "app" that serves, and waits until it is ready.
func (n namespace) pod(name string) *corev1.Pod {
	GinkgoHelper()
	n.apply(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: app, image: %q, env: [{name: PORT, value: "8080"}]}
`, name, name, appImage))
	n.ready(name)
	return n.getPod(name)
}

// podWith applies the pod "web", and waits until it is ready. Its spec is YAML as in a manifest, in a block of two spaces.
func (n namespace) podWith(spec string) {
	GinkgoHelper()
	n.apply("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n" + spec)
	n.ready("web")
}

// restrictedPod is the pod "web" as the Pod Security level restricted wants it.
func (n namespace) restrictedPod() {
	GinkgoHelper()
	n.podWith(`
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: "` + appImage + `"
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`)
}

// ready waits until pods are.
func (n namespace) ready(pods ...string) {
	GinkgoHelper()
	n.kubectl(append([]string{"wait", "--for=condition=Ready", "--timeout=30s", "pod"}, pods...)...)
}

// get reads an object as kubectl prints it.
func get[T any](n namespace, resource, name string) (*T, error) {
	out, err := tryKubectl("-n", string(n), "get", resource, name, "-o", "json")
	if err != nil {
		return nil, err
	}
	object := new(T)
	return object, json.Unmarshal([]byte(out), object)
}

func (n namespace) getPod(name string) *corev1.Pod {
	GinkgoHelper()
	pod, err := get[corev1.Pod](n, "pod", name)
	Expect(err).NotTo(HaveOccurred())
	return pod
}

func (n namespace) get(name string) *v1alpha1.DebugSession {
	GinkgoHelper()
	session, err := get[v1alpha1.DebugSession](n, "dbg", name)
	Expect(err).NotTo(HaveOccurred())
	return session
}

// reaches waits until a session is in a phase, and returns it then. It gives up early on a session that ended otherwise.
func (n namespace) reaches(name string, phase v1alpha1.Phase) *v1alpha1.DebugSession {
	GinkgoHelper()
	var session *v1alpha1.DebugSession
	Eventually(func(g Gomega) {
		var err error
		session, err = get[v1alpha1.DebugSession](n, "dbg", name)
		g.Expect(err).NotTo(HaveOccurred())
		if session.Status.Phase == v1alpha1.PhaseEnded && phase != v1alpha1.PhaseEnded {
			StopTrying("it has ended: " + session.Status.Message()).Now()
		}
		g.Expect(session.Status.Phase).To(Equal(phase))
	}).Should(Succeed())
	return session
}

// ends waits until a session has ended, and sees how.
func (n namespace) ends(name string, outcome v1alpha1.Outcome) *v1alpha1.DebugSession {
	GinkgoHelper()
	session := n.reaches(name, v1alpha1.PhaseEnded)
	Expect(session.Status.Outcome).To(Equal(outcome), session.Status.Message())
	Expect(session.Status.Attach).To(BeEmpty())
	Expect(session.Status.EndedAt).NotTo(BeNil())
	return session
}

// end ends a session that runs, and waits until it has ended.
func (n namespace) end(name string) {
	GinkgoHelper()
	n.patch(name, `{"end":true}`)
	n.ends(name, v1alpha1.OutcomeTerminated)
}

// gone waits until an object is no more.
func (n namespace) gone(resource, name string) {
	GinkgoHelper()
	n.kubectl("wait", "--for=delete", resource+"/"+name, "--timeout=30s")
}

// exec runs a command in a session's debugger.
func (n namespace) exec(session *v1alpha1.DebugSession, command ...string) string {
	GinkgoHelper()
	at := session.Status.Debugger
	return n.kubectl(append([]string{"exec", at.PodName, "-c", at.ContainerName, "--"}, command...)...)
}

// eventMessages are the messages of a session's events of one reason.
func (n namespace) eventMessages(session, reason string) func() string {
	return func() string {
		out, _ := tryKubectl("-n", string(n), "get", "events", "-o", "jsonpath={range .items[*]}{.message}{\"\\n\"}{end}",
			"--field-selector", "involvedObject.kind=DebugSession,involvedObject.name="+session+",reason="+reason)
		return out
	}
}

// debuggerState is the state of an ephemeral session's container, as the kubelet tells it.
func (n namespace) debuggerState(session *v1alpha1.DebugSession) corev1.ContainerState {
	GinkgoHelper()
	for _, status := range n.getPod(session.Status.Debugger.PodName).Status.EphemeralContainerStatuses {
		if status.Name == session.Status.Debugger.ContainerName {
			return status.State
		}
	}
	return corev1.ContainerState{}
}
