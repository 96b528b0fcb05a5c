package integration

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/controllers/debugsession"
	"debugsession.dev/operator/internal/kube/podexec"
)

// staleWatch shows a pod as it was.
type staleWatch struct{ pod *corev1.Pod }

func (w staleWatch) Get(_, _ types.NamespacedName) (*corev1.Pod, bool, error) {
	return w.pod, true, nil
}
func (w staleWatch) List(types.NamespacedName, string, string) ([]corev1.Pod, bool, error) {
	return []corev1.Pod{*w.pod}, true, nil
}
func (w staleWatch) Release(types.NamespacedName)                         {}
func (w staleWatch) Hurry(types.NamespacedName)                           {}
func (w staleWatch) Expect(map[types.NamespacedName]types.NamespacedName) {}

// keyless is for a reconciler that nobody asks to vouch for anything.
type keyless struct{ debugsession.Seal }

func (keyless) HashKey() []byte { return nil }

func (keyless) VerifyChange(*v1alpha1.DebugSession) *v1alpha1.ChangeStatus { return nil }

// storeless is for a reconciler whose operator has no store of audit records.
type storeless struct{ debugsession.Recorder }

func (storeless) HasStore() bool { return false }

// uncounted is for a reconciler that nobody measures.
type uncounted struct{}

func (uncounted) Ready(v1alpha1.Mode, time.Duration) {}
func (uncounted) Ended(*v1alpha1.DebugSession)       {}

// The time between recording a pod and injecting into it is held open by a webhook that does not answer.
var _ = Describe("a pod that is replaced after it was recorded", func() {
	var namespace string
	var session *v1alpha1.DebugSession
	var pod, another *corev1.Pod
	var stop func()
	node := &kubelet{}

	BeforeEach(func(ctx SpecContext) {
		stop = startOperator(node)
		createAnything(ctx)
		namespace = newNamespace(ctx, map[string]string{"unanswered": "true"})
		answer := leaveUnanswered(ctx)
		pod = runningPod(ctx, namespace, "web")
		session = create(ctx, namespace, "hang")
		Eventually(func(g Gomega) string {
			refreshed(ctx, g, session)
			return session.Status.Reason
		}).Should(Equal(v1alpha1.ReasonRetrying))
		Expect(session.Status.Target.PodUID).To(Equal(pod.UID))
		Expect(said(session)).To(ContainSubstring("failed calling webhook"))
		stop()

		vanish(ctx, pod)
		another = runningPod(ctx, namespace, "web")
		answer()
	})

	It("is not debugged by an operator that sees it", func(ctx SpecContext) {
		startOperator(node)
		endsAs(ctx, session, v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone))
		isAsItWas(ctx, another)
	})

	It("is not debugged by an operator that does not see it yet", func(ctx SpecContext) {
		reconciler := &debugsession.Reconciler{
			Client: k8s, Sessions: k8s, Live: k8s, Pods: staleWatch{pod}, Enqueuer: &debugsession.Enqueuer{}, Exec: podexec.NewLimiter(node, 1),
			Seal:    keyless{},
			Records: storeless{}, Events: events.NewFakeRecorder(10), Metrics: uncounted{}, Clock: clock.RealClock{},
		}
		Eventually(func(g Gomega) { // once the API server has taken note that the webhook is gone
			_, err := reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(session)})
			g.Expect(err).NotTo(HaveOccurred())
			refreshed(ctx, g, session)
			g.Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnding))
		}).Should(Succeed())
		Expect(session.Status.Reason).To(Equal(string(v1alpha1.OutcomeTargetGone)))
		isAsItWas(ctx, another)

		startOperator(node)
		endsAs(ctx, session, v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone))
		isAsItWas(ctx, another)
	})
})

// leaveUnanswered has no ephemeral container be admitted in namespaces that are so labelled, nor refused: until answer.
func leaveUnanswered(ctx context.Context) (answer func()) {
	GinkgoHelper()
	fail, none, scope := admissionv1.Fail, admissionv1.SideEffectClassNone, admissionv1.NamespacedScope
	hook := &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "unanswered"},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name:                    "unanswered.example.com",
			ClientConfig:            admissionv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"unanswered": "true"}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Update},
				Rule: admissionv1.Rule{
					APIGroups:   []string{""},
					APIVersions: []string{"v1"},
					Resources:   []string{"pods/ephemeralcontainers"},
					Scope:       &scope,
				},
			}},
		}},
	}
	Expect(k8s.Create(ctx, hook)).To(Succeed())
	answer = func() { Expect(client.IgnoreNotFound(k8s.Delete(context.Background(), hook))).To(Succeed()) }
	DeferCleanup(answer)
	probe := newNamespace(ctx, map[string]string{"unanswered": "true"})
	pod := runningPod(ctx, probe, "probe")
	Eventually(func() error { // the API server takes note a moment later
		trial := pod.DeepCopy()
		trial.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "trial", Image: "trial:1", ImagePullPolicy: corev1.PullIfNotPresent,
			TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		}}}
		return k8s.SubResource("ephemeralcontainers").Update(ctx, trial, client.DryRunAll)
	}).Should(MatchError(ContainSubstring("failed calling webhook")))
	return answer
}
