package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/dbgcli/command"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/internal/retry"
)

// requiring is a class whose sessions must be recorded.
func requiring(ctx context.Context, namespace string) string {
	GinkgoHelper()
	return newClass(ctx, "recorded-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.Audit = v1alpha1.AuditRequired }).Name
}

func ofClass(name string) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) { s.Spec.ClassName, s.Spec.Reason = name, "INC-1234: requests hang" }
}

// storing has the operator store records in a folder.
func storing(folder string) func(*manager.Options, *operator.Options) {
	return func(_ *manager.Options, o *operator.Options) {
		o.Audit = operator.AuditOptions{URL: "file://" + folder, Cluster: "eu-1"}
	}
}

// recordOf is the record in the folder that a session says is its own.
func recordOf(folder string, session *v1alpha1.DebugSession) *audit.Record {
	GinkgoHelper()
	Expect(session.Status.Audit).NotTo(BeNil())
	text, err := os.ReadFile(filepath.Join(folder, session.Status.Audit.Key))
	Expect(err).NotTo(HaveOccurred())
	Expect(audit.Digest(text)).To(Equal(session.Status.Audit.SHA256))
	record, err := audit.Decode(text)
	Expect(err).NotTo(HaveOccurred())
	return record
}

// recorded waits until a session that has ended says where its record is.
func recorded(ctx context.Context, session *v1alpha1.DebugSession) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		g.Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnded))
		g.Expect(session.Status.Audit).NotTo(BeNil())
	}).Should(Succeed())
}

// held waits until a session stays Ending for its record, for that reason.
func held(ctx context.Context, session *v1alpha1.DebugSession, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		refreshed(ctx, g, session)
		g.Expect(session.Status.Phase).To(Equal(v1alpha1.PhaseEnding))
		g.Expect(session.Status.EndedAt).NotTo(BeNil())
		recorded := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionRecorded)
		g.Expect(recorded).NotTo(BeNil())
		g.Expect(recorded.Reason).To(Equal(reason))
	}).Should(Succeed())
}

func gone(ctx context.Context, session *v1alpha1.DebugSession) {
	GinkgoHelper()
	Eventually(func() bool {
		return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(session), session))
	}).Should(BeTrue())
}

// dbgAudit runs kubectl dbg audit, with nothing that leads to a cluster.
func dbgAudit(ctx context.Context, args ...string) (string, error) {
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	root := command.New(streams, "test")
	root.SetArgs(append([]string{"audit"}, args...))
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

func anchorMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operator.DefaultNamespace, Name: audit.AnchorName}}
}

// anchored waits until every session that has ended is recorded, also those that other specs have left, and the cluster remembers the
// end of the chain that the store in the folder has. It returns that.
func anchored(ctx context.Context, folder string) *audit.Anchor {
	GinkgoHelper()
	var anchor *audit.Anchor
	Eventually(func(g Gomega) {
		all := &v1alpha1.DebugSessionList{}
		g.Expect(k8s.List(ctx, all)).To(Succeed())
		for i := range all.Items {
			if s := &all.Items[i]; s.Status.Phase == v1alpha1.PhaseEnded {
				g.Expect(s.Status.Audit).NotTo(BeNil(), s.Namespace+"/"+s.Name)
			}
		}
		found := anchorMap()
		refreshed(ctx, g, found)
		var err error
		anchor, err = audit.ParseAnchor(found)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(anchor.Store).To(Equal("file://" + folder))
		g.Expect(anchor.Head.Sequence).To(BeEquivalentTo(len(linksIn(folder))))
	}).Should(Succeed())
	return anchor
}

// linksIn are the files of the chain in a folder, in order.
func linksIn(folder string) []string {
	GinkgoHelper()
	links, err := filepath.Glob(filepath.Join(folder, filepath.Dir(audit.LinkKey(1)), "*.json"))
	Expect(err).NotTo(HaveOccurred())
	return links
}

// linkedIn are the keys of the records in a folder, in the order of the chain.
func linkedIn(folder string) []string {
	GinkgoHelper()
	var keys []string
	for _, file := range linksIn(folder) {
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		var link audit.Link
		Expect(json.Unmarshal(text, &link)).To(Succeed())
		keys = append(keys, link.Key)
	}
	return keys
}

var _ = Describe("the audit record", func() {
	var namespace, folder string
	node := &kubelet{}

	BeforeEach(func(ctx SpecContext) { folder = filepath.Join(GinkgoT().TempDir(), "audit") })

	begin := func(ctx context.Context, change ...func(*manager.Options, *operator.Options)) (stop func()) {
		GinkgoHelper()
		stop = startOperator(node, change...)
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
		return stop
	}

	It("of a session that requires it is stored before the session has ended, and tells all of it", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), ofClass(requiring(ctx, namespace)))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))

		record := recordOf(folder, session)
		Expect(record.Cluster).To(Equal("eu-1"))
		s := record.Session
		Expect(s.Namespace + "/" + s.Name + "/" + s.UID).To(Equal(namespace + "/hang/" + string(session.UID)))
		Expect(s.Requester.Username).To(Equal(session.Spec.Requester.Username))
		Expect(s.Reason).To(Equal("INC-1234: requests hang"))
		Expect(s.Spec.Debugger.Command).To(Equal([]string{"sh"}))
		Expect(s.Outcome).To(Equal(v1alpha1.OutcomeTerminated))
		Expect(s.StoppedBy).To(Equal(v1alpha1.StoppedByOperator))
		Expect(s.Target.PodUID).To(Equal(session.Status.Target.PodUID))
		Expect(s.Times.Ended).To(BeTemporally("==", session.Status.EndedAt.Time))
		Expect(s.Class.Audit).To(Equal(v1alpha1.AuditRequired))

		anchored(ctx, folder) // which is written a moment later
		so := askedSoFar()
		look(ctx, session, 100)
		Expect(askedSince(so, namespace)).To(BeEmpty(), "a settled session costs nothing")
	})

	It("of a session that does not require it is stored all the same, also if the session is deleted at once", func(ctx SpecContext) {
		stop := begin(ctx, storing(folder))
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "hang", pod)
		edit(ctx, session, fixture.End)
		recorded(ctx, session)
		Expect(recordOf(folder, session).Session.Outcome).To(Equal(v1alpha1.OutcomeTerminated))
		Expect(meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionRecorded)).To(BeNil())

		deleted := active(ctx, node, namespace, "deleted", pod)
		Expect(k8s.Delete(ctx, deleted.DeepCopy())).To(Succeed())
		gone(ctx, deleted.DeepCopy())
		Eventually(func() (string, error) {
			return dbgAudit(ctx, "list", "--store=file://"+folder, "-n", namespace)
		}).Should(ContainSubstring("deleted"))

		stop() // what ended before an operator had a store is stored when it has one
		folder = filepath.Join(GinkgoT().TempDir(), "other")
		startOperator(node, storing(folder))
		ended := session.DeepCopy()
		edit(ctx, active(ctx, node, namespace, "third", pod), fixture.End)
		Eventually(func() (string, error) {
			return dbgAudit(ctx, "list", "--store=file://"+folder, "-n", namespace)
		}).Should(ContainSubstring("third"))
		refreshed(ctx, Default, ended)
		Expect(ended.Status.Audit).To(Equal(session.Status.Audit), "what is stored is not stored again")
	})

	It("holds a session that requires it while the store is down, and nothing else", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "hang", pod, ofClass(requiring(ctx, namespace)))
		other := active(ctx, node, namespace, "other", pod)
		Eventually(func() error { // what other specs have left is written into it
			return errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)) // no folder: nothing can be written to it
		}).Should(Succeed())

		Expect(k8s.Delete(ctx, session.DeepCopy())).To(Succeed())
		held(ctx, session, v1alpha1.ReasonNotRecorded)
		Expect(session.Status.Message()).To(ContainSubstring("stays Ending until its audit record is stored"))
		Expect(session.Finalizers).To(ContainElement(v1alpha1.Finalizer))
		refreshed(ctx, Default, pod)
		for _, status := range pod.Status.EphemeralContainerStatuses {
			Expect(status.State.Terminated != nil).To(Equal(status.Name == session.Status.Debugger.ContainerName),
				"its debugger lives no longer for that")
		}
		strip := session.DeepCopy()
		strip.Finalizers = nil
		Expect(k8s.Update(ctx, strip)).To(MatchError(ContainSubstring("cannot be removed")))
		edit(ctx, other, fixture.End)
		endsAs(ctx, other, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		// It is tried again at once if it fails for the first time, else after a pause that has grown.
		Eventually(func(g Gomega) {
			refreshed(ctx, g, other)
			said := meta.FindStatusCondition(other.Status.Conditions, v1alpha1.ConditionRecorded)
			g.Expect(said).NotTo(BeNil())
			g.Expect(said.Reason).To(Equal(v1alpha1.ReasonNotRecorded))
			g.Expect(said.Message).To(ContainSubstring("cannot write to the audit store"))
			all := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, all, client.InNamespace(namespace))).To(Succeed())
			g.Expect(all.Items).
				To(ContainElement(And(HaveField("Regarding.UID", other.UID), HaveField("Reason", v1alpha1.ReasonNotRecorded))))
		}).WithTimeout(2 * retry.LastPause).Should(Succeed())

		Expect(os.Remove(folder)).To(Succeed())
		Expect(os.Mkdir(folder, 0o700)).To(Succeed())
		Eventually(func() bool { // the pauses have grown
			return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(session), session.DeepCopy()))
		}).WithTimeout(retry.LastPause + patience).Should(BeTrue())
		Eventually(func() (string, error) {
			return dbgAudit(ctx, "list", "--store=file://"+folder, "-n", namespace)
		}).Should(And(ContainSubstring("hang"), ContainSubstring("other")))
		recorded(ctx, other)
		Expect(meta.FindStatusCondition(other.Status.Conditions, v1alpha1.ConditionRecorded)).To(BeNil(),
			"what was said of the failure is over")
	})

	It("that is required keeps sessions from starting where there is no store, and holds what runs where there is "+
		"none any more", func(ctx SpecContext) {
		stop := begin(ctx)
		pod := runningPod(ctx, namespace, "web")
		session := asked(namespace, "hang", fixture.Of("web"), ofClass(requiring(ctx, namespace)))
		Expect(k8s.Create(ctx, session)).To(Succeed())
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonNoAuditStore))
			g.Expect(session.Status.Message()).To(ContainSubstring("--audit-store=URL"))
		}).Should(Succeed())

		stop()
		stop = startOperator(node, storing(folder))
		injected(ctx, session, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)

		stop()
		stop = startOperator(node)
		edit(ctx, session, fixture.End)
		held(ctx, session, v1alpha1.ReasonNoAuditStore)
		stop()
		startOperator(node, storing(folder))
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		Expect(recordOf(folder, session).Session.Times.Ended).To(BeTemporally("==", session.Status.EndedAt.Time))
	})

	It("tells who has extended, ended and deleted it, and which images were debugged", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		pod := runningPod(ctx, namespace, "web")
		images := pod.DeepCopy()
		images.Status.ContainerStatuses[0].ImageID = "sha256:f00d"
		Expect(k8s.Status().Update(ctx, images)).To(Succeed())
		carol, dave := newPerson("carol-of-"+namespace), newPerson("dave-of-"+namespace)
		for _, user := range []string{"carol-of-" + namespace, "dave-of-" + namespace} {
			mayEdit(ctx, namespace, user)
		}
		session := active(ctx, node, namespace, "hang", pod)
		to := func(ttl time.Duration, end bool, claim string) client.Object {
			return &v1alpha1.DebugSession{
				TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession"},
				ObjectMeta: metav1.ObjectMeta{
					Namespace:   namespace,
					Name:        "hang",
					Annotations: map[string]string{v1alpha1.AnnotationChangedBy: claim},
				},
				Spec: v1alpha1.DebugSessionSpec{TTL: &metav1.Duration{Duration: ttl}, End: end},
			}
		}
		change := func(who client.Client, ttl time.Duration, end bool) {
			GinkgoHelper()
			Expect(who.Patch(ctx, to(ttl, end, "").(*v1alpha1.DebugSession),
				mergePatch(fmt.Sprintf(`{"spec":{"ttl":%q,"end":%t}}`, ttl, end)))).To(Succeed())
		}
		change(carol, 20*time.Minute, false)
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Changes).To(HaveLen(1))
		}).Should(Succeed())

		sealed := session.Annotations[v1alpha1.AnnotationChangedBy]
		for what, claim := range map[string]string{
			"what is not sealed": `carol-of-` + namespace + ` {"at":"2026-11-27T12:00:00Z","end":true}`,
			"another's name":     strings.ReplaceAll(sealed, "carol-of-", "alice-of-"),
		} {
			text, err := json.Marshal(
				map[string]any{"metadata": map[string]any{"annotations": map[string]string{v1alpha1.AnnotationChangedBy: claim}}})
			Expect(err).NotTo(HaveOccurred())
			Expect(dave.Patch(ctx, session.DeepCopy(), mergePatch(string(text)))).
				To(MatchError(ContainSubstring("is set by the operator's admission webhook")), what)
		}
		Expect(carol.Patch(ctx, session.DeepCopy(), mergePatch(`{"metadata":{"annotations":null}}`))).To(Succeed())
		refreshed(ctx, Default, session)
		Expect(session.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationChangedBy, sealed), "taken away by who is named")
		change(dave, 20*time.Minute, true)
		recorded(ctx, session)
		s := recordOf(folder, session).Session
		Expect(s.Changes).To(HaveExactElements(
			And(HaveField("By", "carol-of-"+namespace), HaveField("TTL.Duration", 20*time.Minute), HaveField("End", false)),
			And(HaveField("By", "dave-of-"+namespace), HaveField("End", true))))
		Expect(s.DeletedBy).To(BeEmpty())
		Expect(s.Target.Images).To(ContainElement(HaveField("ImageID", "sha256:f00d")))

		deleted := active(ctx, node, namespace, "deleted", pod)
		Expect(dave.Delete(ctx, deleted.DeepCopy(), client.DryRunAll)).To(Succeed())
		Expect(carol.Delete(ctx, deleted.DeepCopy())).To(Succeed())
		gone(ctx, deleted.DeepCopy())
		Eventually(func(g Gomega) {
			out, err := dbgAudit(ctx, "list", "--store=file://"+folder, "-n", namespace, "-o", "json")
			g.Expect(err).NotTo(HaveOccurred())
			var records []audit.Record
			g.Expect(json.Unmarshal([]byte(out), &records)).To(Succeed())
			g.Expect(records).
				To(ContainElement(And(HaveField("Session.Name", "deleted"), HaveField("Session.DeletedBy", "carol-of-"+namespace))))
		}).Should(Succeed())
	})

	It("is left of what admission refuses too, of one user a few and their count", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		user := "mallory-of-" + namespace
		mallory := newPerson(user)
		mayEdit(ctx, namespace, user)
		dry := asked(namespace, "dry", fixture.Of("web"))
		refusal(mallory.Create(ctx, dry, client.DryRunAll))
		for i := range 20 {
			session := asked(namespace, fmt.Sprint("try-", i), fixture.Of("web"))
			session.Spec.Reason = "nobody looks"
			refusal(mallory.Create(ctx, session))
		}
		var records []audit.Record
		Eventually(func(g Gomega) {
			out, err := dbgAudit(ctx, "list", "--store=file://"+folder, "-n", namespace, "--requester="+user, "-o", "json")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(json.Unmarshal([]byte(out), &records)).To(Succeed())
			g.Expect(records).To(HaveLen(3))
		}).Should(Succeed())
		for _, record := range records {
			Expect(record.Refusal.User.Groups).To(ContainElement("system:authenticated"))
			Expect(record.Refusal.Attempts).
				To(HaveExactElements(And(HaveField("Name", HavePrefix("try-")), HaveField("Kind", "DebugSession"),
					HaveField("Spec", ContainSubstring("nobody looks")), HaveField("Message", ContainSubstring("may not use class")))))
		}
		data := anchored(ctx, folder).Data()
		out, err := dbgAudit(ctx, "verify", "--store=file://"+folder, "--public-key="+data["publicKey"], "--head="+data["head"])
		Expect(err).NotTo(HaveOccurred(), out)
	})

	It("shows that it was tampered with", func(ctx SpecContext) {
		stop := begin(ctx, storing(folder))
		pod := runningPod(ctx, namespace, "web")
		class := requiring(ctx, namespace)
		for _, name := range []string{"a", "b", "c"} {
			session := active(ctx, node, namespace, name, pod, ofClass(class))
			edit(ctx, session, fixture.End)
			endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		}
		anchored(ctx, folder)
		stop()
		anchor, keys := anchored(ctx, folder), linkedIn(folder)
		last := len(keys) // other specs have left sessions, which are recorded too
		data := anchor.Data()
		verify := func() (string, error) {
			return dbgAudit(ctx,
				"verify", "--store=file://"+folder, "--public-key="+data["publicKey"], "--head="+data["head"], "-o", "json")
		}
		out, err := verify()
		Expect(err).NotTo(HaveOccurred(), out)

		at := func(key string) string { return filepath.Join(folder, key) }
		for what, tc := range map[string]struct {
			tamper func() error
			want   string
		}{
			"a record changed":  {func() error { return change(at(keys[1]), "{", "{ ") }, "RecordChanged 2"},
			"a record removed":  {func() error { return os.Remove(at(keys[1])) }, "RecordRemoved 2"},
			"records exchanged": {func() error { return exchange(at(keys[0]), at(keys[1])) }, "RecordChanged 1, RecordChanged 2"},
			"links exchanged": {
				func() error { return exchange(at(audit.LinkKey(1)), at(audit.LinkKey(2))) },
				"LinkChanged 1, LinkChanged 2, LinkChanged 3",
			},
			"the end cut off": {func() error {
				return errors.Join(os.Remove(at(keys[last-1])), os.Remove(at(audit.LinkKey(int64(last)))))
			}, fmt.Sprint("CutOff ", last)},
			"a record forged": {func() error {
				return os.WriteFile(at(filepath.Join(filepath.Dir(keys[0]), "forged.json")), []byte("{}"), 0o600)
			}, "RecordAdded 0"},
		} {
			whole := GinkgoT().TempDir()
			Expect(os.CopyFS(whole, os.DirFS(folder))).To(Succeed())
			Expect(tc.tamper()).To(Succeed(), what)
			out, err := verify()
			Expect(err).To(MatchError(ContainSubstring("are not what the operator wrote")), what)
			var result audit.Result
			Expect(json.Unmarshal([]byte(out), &result)).To(Succeed())
			var found []string
			for _, fault := range result.Faults {
				if fault.Kind != audit.RecordAdded || tc.want == "RecordAdded 0" { // records whose links were tampered with have none
					found = append(found, fmt.Sprintf("%s %d", fault.Kind, fault.Sequence))
				}
			}
			Expect(strings.Join(found, ", ")).To(Equal(tc.want), what)
			Expect(os.RemoveAll(folder)).To(Succeed())
			Expect(os.CopyFS(folder, os.DirFS(whole))).To(Succeed())
		}

		out, err = dbgAudit(ctx, "list", "--store=file://"+folder, "--class="+class, "-o", "csv")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Split(strings.TrimSpace(out), "\n")).To(HaveLen(4))
	})
})

func change(file, from, to string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600)
}

func exchange(a, b string) error {
	first, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	second, err := os.ReadFile(b)
	return errors.Join(err, os.WriteFile(a, second, 0o600), os.WriteFile(b, first, 0o600))
}

var _ = Describe("the roles for people", func() {
	It("let who edits a namespace end a session and not delete it, its admin delete it, and an auditor read all", func(ctx SpecContext) {
		namespace := newNamespace(ctx, nil)
		for user, roles := range map[string][]string{
			"the-editor": {"debugsession-editor", "debugsession-viewer"},
			"the-admin":  {"debugsession-editor", "debugsession-viewer", "debugsession-admin"},
		} {
			for _, role := range roles {
				meta := metav1.ObjectMeta{Namespace: namespace, Name: user + "-" + role}
				Expect(k8s.Create(ctx, &rbacv1.RoleBinding{
					ObjectMeta: meta,
					RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
					Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
				})).To(Succeed())
			}
		}
		Expect(k8s.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "the-auditor-" + namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "debugsession-auditor"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "the-auditor"}},
		})).To(Succeed())
		group := v1alpha1.GroupVersion.Group
		may := func(user, verb, resource string) func() bool {
			return func() bool { return allowed(ctx, user, namespace, group, resource, verb, "") }
		}
		// The API server's authorizer learns of bindings a moment later.
		for user, verbs := range map[string][]string{
			"the-editor": {"create", "update", "patch", "get", "list"}, "the-admin": {"create", "delete", "deletecollection"},
			"the-auditor": {"get", "list", "watch"},
		} {
			for _, verb := range verbs {
				Eventually(may(user, verb, "debugsessions")).Should(BeTrue(), user+" "+verb)
			}
		}
		Eventually(may("the-editor", "delete", "debugapprovals")).Should(BeTrue(), "which takes an approval back")
		for user, verbs := range map[string][]string{
			"the-editor":  {"delete", "deletecollection"},
			"the-auditor": {"create", "update", "patch", "delete"},
		} {
			for _, verb := range verbs {
				Expect(may(user, verb, "debugsessions")()).To(BeFalse(), user+" "+verb)
			}
		}
		for _, resource := range []string{"debugapprovals", "debugclasses"} {
			Expect(may("the-auditor", "list", resource)()).To(BeTrue(), resource)
		}
		Expect(allowed(ctx, "the-auditor", operator.DefaultNamespace, "", "configmaps", "get", audit.AnchorName)).To(BeTrue())
		Expect(allowed(ctx, "the-auditor", operator.DefaultNamespace, "", "secrets", "get", audit.AnchorName)).To(BeFalse())
	})
})
