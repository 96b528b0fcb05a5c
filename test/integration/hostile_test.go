package integration

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

func mergePatch(patch string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(patch))
}

// activeOf has somebody create a session on the pod, and its debugger run.
func activeOf(ctx context.Context, who client.Client, node *kubelet, session *v1alpha1.DebugSession, pod *corev1.Pod) {
	GinkgoHelper()
	Expect(who.Create(ctx, session)).To(Succeed())
	if session.Spec.Mode == v1alpha1.ModePodCopy {
		Expect(node.set(ctx, copied(ctx, session), session.Status.Debugger.ContainerName, running())).To(Succeed())
	} else {
		injected(ctx, session, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
	}
	reaches(ctx, session, v1alpha1.PhaseActive)
}

var _ = Describe("whoever may edit a namespace", Ordered, ContinueOnFailure, func() {
	var alice, mallory *person
	var namespace string
	node := &kubelet{}

	BeforeAll(func() {
		startOperator(node)
		alice, mallory = newPerson("alice"), newPerson("mallory")
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace(ctx, nil)
		for _, user := range []string{"alice", "mallory"} {
			mayEdit(ctx, namespace, user)
		}
		may(ctx, namespace, "alice", v1alpha1.VerbUse, "standard")
	})
	// copying is a session of alice's whose copy runs.
	copying := func(ctx context.Context, how *v1alpha1.PodCopy) *v1alpha1.DebugSession {
		GinkgoHelper()
		pod := runningPod(ctx, namespace, "web")
		session := newSession(namespace, "copy", "web")
		session.Spec.Mode, session.Spec.PodCopy = v1alpha1.ModePodCopy, how
		activeOf(ctx, alice, node, session, pod)
		return session
	}

	It("gains nothing by what can be written in a session's metadata and status", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := newSession(namespace, "hang", "web")
		activeOf(ctx, alice, node, session, pod)
		before := session.DeepCopy()

		Expect(mallory.Status().Patch(ctx, session.DeepCopy(), mergePatch(`{"status":{"phase":"Ended"}}`))).
			To(MatchError(ContainSubstring("forbidden")))
		_, stderr, err := kubectl(mallory, "", "scale", "dbg/hang", "-n", namespace, "--replicas=2")
		Expect(err).To(HaveOccurred(), stderr)
		for _, patch := range []string{
			`{"metadata":{"labels":{"debugsession.dev/session-uid":"0","app":"web"}}}`,
			`{"metadata":{"annotations":{"debugsession.dev/session":"other"}}}`,
			`{"metadata":{"finalizers":["debugsession.dev/teardown","example.com/mine"]}}`,
			`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"mine","uid":"1","blockOwnerDeletion":true,` +
				`"controller":true}]}}`,
			`{"status":{"phase":"Ended","access":{"name":"x","subjects":[{"kind":"User","name":"mallory"}]}}}`,
		} {
			Expect(mallory.Patch(ctx, session.DeepCopy(), mergePatch(patch))).To(Succeed(), patch)
		}
		Consistently(phase(ctx, session)).WithTimeout(500 * time.Millisecond).Should(Equal(v1alpha1.PhaseActive))
		Expect(session.Status.Access).To(Equal(before.Status.Access))
		Expect(session.Status.Debugger).To(Equal(before.Status.Debugger))
		Expect(reaching(ctx, "mallory", namespace, "web")).To(BeFalse())

		edit(ctx, session, fixture.End)
		reaches(ctx, session, v1alpha1.PhaseEnded)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Finalizers).To(ConsistOf("example.com/mine"))
		}).Should(Succeed())
		Expect(session.Spec.Requester.Username).To(Equal("alice"))
		nothingLeft(ctx, namespace)
	})

	It("cannot write a status with all rights in the namespace", func(ctx SpecContext) {
		all := rbacv1.PolicyRule{APIGroups: []string{rbacv1.APIGroupAll}, Resources: []string{rbacv1.ResourceAll}, Verbs: []string{rbacv1.VerbAll}}
		bind(ctx, namespace, "mallory", "everything", all)
		session := newSession(namespace, "late", "late")
		Expect(mallory.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhasePending)
		approval := newApproval(namespace, "fine", "late")
		Expect(k8s.Create(ctx, approval)).To(Succeed())
		for _, object := range []client.Object{session, approval} {
			kind, err := k8s.GroupVersionKindFor(object)
			Expect(err).NotTo(HaveOccurred())
			status := `{"conditions":[{"type":"Counted","status":"True","reason":"Mine","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}`
			apply := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"status":%s}`, v1alpha1.GroupVersion, kind.Kind, status)
			for _, patch := range []client.Patch{mergePatch(`{"status":` + status + `}`), client.RawPatch(types.ApplyPatchType, []byte(apply))} {
				options := []client.SubResourcePatchOption{client.FieldOwner("mallory")}
				if patch.Type() == types.ApplyPatchType {
					options = append(options, client.ForceOwnership)
				}
				Expect(mallory.Status().Patch(ctx, object.DeepCopyObject().(client.Object), patch, options...)).
					To(MatchError(ContainSubstring("status: the operator alone writes the status of a ")), string(patch.Type()))
			}
			Eventually(func(g Gomega) { // the operator may write it meanwhile
				refreshed(ctx, g, object)
				g.Expect(mallory.Status().Update(ctx, object.DeepCopyObject().(client.Object))).
					To(MatchError(ContainSubstring("status: the operator alone writes the status of a ")))
			}).Should(Succeed())
		}
	})

	It("cannot hide a copy from its end by taking its labels and its owner away", func(ctx SpecContext) {
		session := copying(ctx, nil)
		hidden := copied(ctx, session)
		Expect(mallory.Patch(ctx, hidden, mergePatch(`{"metadata":{"labels":null,"annotations":null,"ownerReferences":null}}`))).
			To(Succeed())
		Consistently(phase(ctx, session)).WithTimeout(500 * time.Millisecond).Should(Equal(v1alpha1.PhaseActive))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		isGone(ctx, hidden)
	})

	It("cannot debug what was made for somebody else's session", func(ctx SpecContext) {
		session := copying(ctx, &v1alpha1.PodCopy{Keep: []v1alpha1.Keep{v1alpha1.KeepLabels}})
		may(ctx, namespace, "mallory", v1alpha1.VerbUse, "standard")

		riding := newSession(namespace, "riding", session.Status.Debugger.PodName)
		Expect(mallory.Create(ctx, riding)).To(Succeed())
		endsAs(ctx, riding, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetIsDebugger)
		chosen := newSession(namespace, "chosen", "")
		chosen.Spec.Target = v1alpha1.Target{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}
		Expect(mallory.Create(ctx, chosen)).To(Succeed())
		reaches(ctx, chosen, v1alpha1.PhaseStarting)
		Expect(chosen.Status.Target.PodName).To(Equal("web"))
	})

	It("cannot debug a copy of somebody else's by hiding whose it is", func(ctx SpecContext) {
		session := copying(ctx, nil)
		made := copied(ctx, session)
		Expect(mallory.Patch(ctx, made, mergePatch(
			`{"metadata":{"labels":{"debugsession.dev/session-uid":null,"mine":"yes"},"annotations":null,"ownerReferences":null}}`))).
			To(Succeed())
		may(ctx, namespace, "mallory", v1alpha1.VerbUse, "standard")

		for _, mode := range []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer, v1alpha1.ModePodCopy} {
			riding := newSession(namespace, "riding-"+strings.ToLower(string(mode)), made.Name)
			riding.Spec.Mode = mode
			Expect(mallory.Create(ctx, riding)).To(Succeed())
			endsAs(ctx, riding, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetIsDebugger)
			Expect(said(riding)).To(ContainSubstring(`was created for session "copy"`))
		}
		chosen := newSession(namespace, "chosen", "")
		chosen.Spec.Mode = v1alpha1.ModePodCopy // for which a pod need not be on a node
		chosen.Spec.Target = v1alpha1.Target{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"mine": "yes"}}}
		Expect(mallory.Create(ctx, chosen)).To(Succeed())
		endsAs(ctx, chosen, v1alpha1.OutcomeRejected, v1alpha1.ReasonTargetIsDebugger)
		Expect(reaching(ctx, "mallory", namespace, made.Name)).To(BeFalse())
	})

	It("does not keep the access to a copy's name by hiding the copy and deleting it", func(ctx SpecContext) {
		session := copying(ctx, &v1alpha1.PodCopy{Name: "db-3"})
		Eventually(func() bool { return reaching(ctx, "alice", namespace, "db-3") }).Should(BeTrue())
		hidden := copied(ctx, session)
		Expect(alice.Patch(ctx, hidden, mergePatch(`{"metadata":{"labels":null}}`))).To(Succeed())
		Consistently(phase(ctx, session)).WithTimeout(500 * time.Millisecond).Should(Equal(v1alpha1.PhaseActive))

		vanish(ctx, hidden)
		another := runningPod(ctx, namespace, "db-3")
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone)
		Eventually(func() bool { return reaching(ctx, "alice", namespace, "db-3") }).Should(BeFalse())
		isAsItWas(ctx, another)
	})

	DescribeTable("cannot pass another pod off as a session's copy", func(ctx SpecContext, change func(*v1alpha1.DebugSessionSpec)) {
		victim := runningPod(ctx, namespace, "db-0")
		session := newSession(namespace, "copy", "late")
		session.Spec.Mode, session.Spec.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{Name: "db-0"}
		change(&session.Spec)
		Expect(alice.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhasePending)
		Expect(alice.Patch(ctx, victim, mergePatch(`{"metadata":{
			"labels":{"debugsession.dev/session-uid":"`+string(session.UID)+`"},
			"annotations":{"debugsession.dev/session":"copy"},
			"ownerReferences":[{"apiVersion":"debugsession.dev/v1alpha1","kind":"DebugSession","name":"copy","uid":"`+string(session.UID)+
			`","controller":true}]}}`))).
			To(Succeed())
		Expect(node.set(ctx, victim, "app", running())).To(Succeed())
		runningPod(ctx, namespace, "late")
		endsAs(ctx, session, v1alpha1.OutcomeRejected, v1alpha1.ReasonNameTaken)
		Expect(reaching(ctx, "alice", namespace, "db-0")).To(BeFalse())
		uid := victim.UID
		refreshed(ctx, Default, victim)
		Expect(victim.UID).To(Equal(uid))
		Expect(victim.DeletionTimestamp).To(BeNil())
	},
		Entry("with a debugger that is added", func(*v1alpha1.DebugSessionSpec) {}),
		Entry("with a container that becomes the debugger", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger = v1alpha1.Debugger{Container: "app", Stdin: true}
		}),
		Entry("with a container that is changed", func(s *v1alpha1.DebugSessionSpec) {
			s.Debugger, s.PodCopy.Containers = v1alpha1.Debugger{}, []v1alpha1.ContainerChange{{Name: "app", Command: []string{"sh"}}}
		}),
	)

	It("cannot give access to whom the class does not name, be it everybody", func(ctx SpecContext) {
		session := newSession(namespace, "hang", "web")
		for _, subject := range []v1alpha1.Subject{
			{Kind: v1alpha1.SubjectGroup, Name: "system:authenticated"}, {Kind: v1alpha1.SubjectUser, Name: "mallory"},
			{Kind: v1alpha1.SubjectUser, Name: "Alice"}, {Kind: v1alpha1.SubjectGroup, Name: "alice"},
		} {
			session.Spec.Access = &v1alpha1.Access{Subjects: []v1alpha1.Subject{subject}}
			Expect(refusal(alice.Create(ctx, session))).To(ContainSubstring("may not be granted access"))
		}
	})

	It("finds no way around the stamp by generateName, replace or a forced replacement", func(ctx SpecContext) {
		runningPod(ctx, namespace, "web")
		named := newSession(namespace, "", "web")
		named.GenerateName = "hang-"
		Expect(alice.Create(ctx, named)).To(Succeed())
		reaches(ctx, named, v1alpha1.PhaseStarting)

		pending := newSession(namespace, "pending", "nobody")
		Expect(alice.Create(ctx, pending)).To(Succeed())
		manifest := "apiVersion: debugsession.dev/v1alpha1\nkind: DebugSession\nmetadata: {name: pending}\n" +
			"spec: {target: {podName: nobody}, debugger: {image: \"busybox:1.36\"}}\n"
		_, stderr, err := kubectl(mallory, manifest, "replace", "--force", "-n", namespace, "-f", "-")
		Expect(err).To(HaveOccurred())
		Expect(stderr).To(ContainSubstring(`"mallory" may not use class "standard"`))
		isGone(ctx, pending)
	})

	It("does not keep the access of a session by a finalizer on its binding", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		session := newSession(namespace, "hang", "web")
		activeOf(ctx, alice, node, session, pod)
		Eventually(func() bool { return reaching(ctx, "alice", namespace, "web") }).Should(BeTrue())
		binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: session.Status.Access.Name}}
		Expect(k8s.Patch(ctx, binding, mergePatch(`{"metadata":{"finalizers":["example.com/hold"]}}`))).To(Succeed())

		edit(ctx, session, fixture.End)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnding))
			ready := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
			g.Expect(ready.Reason).To(Equal(v1alpha1.ReasonStillRunning))
			g.Expect(ready.Message).To(ContainSubstring("example.com/hold"))
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
			g.Expect(binding.Subjects).To(BeEmpty())
		}).Should(Succeed())
		Eventually(func() bool { return reaching(ctx, "alice", namespace, "web") }).Should(BeFalse())

		Expect(k8s.Patch(ctx, binding, mergePatch(`{"metadata":{"finalizers":null}}`))).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		nothingLeft(ctx, namespace)
	})

	It("and has as long a name as a session can hold, gets what others get", func(ctx SpecContext) {
		name := strings.Repeat("m", 1024)
		mayEdit(ctx, namespace, name)
		may(ctx, namespace, name, v1alpha1.VerbUse, "standard")
		config := accountConfig()
		config.Impersonate.UserName, config.Impersonate.Groups = name, []string{"system:authenticated"}
		long, err := client.New(config, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		pod := runningPod(ctx, namespace, "web")
		session := newSession(namespace, "hang", "web")
		activeOf(ctx, long, node, session, pod)
		Eventually(func() bool { return reaching(ctx, name, namespace, "web") }).Should(BeTrue())
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	})

	It("and is a service account, gets as a requester what a person gets", func(ctx SpecContext) {
		account := "system:serviceaccount:" + namespace + ":ci"
		mayEdit(ctx, namespace, account)
		may(ctx, namespace, account, v1alpha1.VerbUse, "standard")
		config := accountConfig()
		config.Impersonate.UserName = account
		config.Impersonate.Groups = []string{"system:serviceaccounts", "system:authenticated"}
		ci, err := client.New(config, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		pod := runningPod(ctx, namespace, "web")
		session := newSession(namespace, "hang", "web")
		activeOf(ctx, ci, node, session, pod)
		Eventually(func() bool { return reaching(ctx, account, namespace, "web") }).Should(BeTrue())
		Expect(reaching(ctx, account, namespace, "neighbour")).To(BeFalse())
		edit(ctx, session, fixture.End)
		reaches(ctx, session, v1alpha1.PhaseEnded)
		Eventually(func() bool { return reaching(ctx, account, namespace, "web") }).Should(BeFalse())
	})
})

// reaching is whether somebody may attach to a pod.
func reaching(ctx context.Context, user, namespace, pod string) bool {
	GinkgoHelper()
	return allowed(ctx, user, namespace, "", "pods/attach", "create", pod)
}
