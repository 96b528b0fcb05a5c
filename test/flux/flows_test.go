package flux

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// layout is the example as it is. It is first: its classes are those of all.
var layout = flow{"the repository of `examples/gitops`", exampleTeam, asItIs}

// flows have a team each, and run beside each other. Their names are rows of docs/gitops.md.
var flows = []flow{
	{"it is applied again, also after its end", "again", appliedAgain},
	{"a commit changes its `ttl`, then `end`", "edited", edited},
	{"a commit changes its labels, `ttl` or `end` after its end", "late", editedAfterItsEnd},
	{"somebody changes its `ttl` by hand", "byhand", changedByHand},
	{"somebody sets `end: true` by hand", "endhand", endedByHand},
	{"a commit changes any other field of its spec", "immutable", immutable},
	{"somebody else applies it: another service account, tool or person", "other", appliedByAnother},
	{"its file is removed while it runs", "pruned", pruned},
	{"its file is removed, and added again when `notAfter` has passed", "readded", addedAgain},
	{"somebody deletes it by hand while it runs", "deleted", deletedByHand},
	{"somebody deletes it by hand when `notAfter` has passed", "expired", deletedByHandAfterwards},
	{"the Kustomization is suspended while it runs", "suspended", suspended},
	{"the account that applies it is exempt from approval", "exempt", exempt},
	{"its approval is committed later, by another account, and reverted", "approved", approvedAndReverted},
	{"its approval is a denial", "denied", denied},
	{"its approval is in the same commit", "together", together},
	{"its approval is left over when its file is removed", "leftover", leftOver},
	{"`force: true`, and a commit changes its target", "forced", forced},
	{"`wait: true`, and it waits for approval", "waited", waited},
	{"`wait: true`, and it is armed ([target.when](armed.md))", "armed", armed},
	{"`wait: true`, and it is denied", "refused", waitedForDenied},
	{"its file is moved to another Kustomization or Application", "moved", moved},
}

// restarts are flows by which the operator is started anew, for all.
var restarts = []flow{
	{"the operator is restarted, as by an upgrade", "restarted", restarted},
	{"its class's `retention` passes", "retention", retention},
}

// soon is when sessions are over that are to run before, on a machine that has much else to do.
const soon = 45 * time.Second

func asItIs(ctx context.Context, f *run) {
	session := f.ends(ctx, merged, v1alpha1.OutcomeExpired)
	f.Expect(session.Status.StartedAt).To(BeNil())
	f.ends(ctx, asking, v1alpha1.OutcomeExpired)
	f.counts(ctx, asking, v1alpha1.ReasonUnbound, v1alpha1.ReasonOtherSession, v1alpha1.ReasonSessionEnded)
	all, _ := f.debuggers(ctx, f)
	f.Expect(all).To(BeZero())
	before := f.written()
	for _, name := range []string{"sessions", "approvals"} {
		f.Expect(f.again(ctx, name)).To(HaveField("Ready", "True"))
	}
	f.Expect(f.written()).To(Equal(before))
}

func appliedAgain(ctx context.Context, f *run) {
	f.writeSession("hang", merged, notAfter(soon))
	f.push(ctx, "Debug the checkout")
	f.reaches(ctx, "hang", v1alpha1.PhaseActive)
	ended := f.ends(ctx, "hang", v1alpha1.OutcomeExpired)
	before := f.written()
	f.Expect(before.flux).To(Equal(1), "Flux writes a session once")
	for range 20 {
		f.Expect(f.again(ctx, "sessions").Ready).To(Equal("True"))
	}
	f.Expect(f.written()).To(Equal(before), "what has ended costs no write")
	f.Expect(f.session(ctx, f, "hang").ResourceVersion).To(Equal(ended.ResourceVersion))
}

// active has a session of the merged class run.
func (r *run) active(ctx context.Context, change ...func(*v1alpha1.DebugSession)) *v1alpha1.DebugSession {
	r.t.Helper()
	r.writeSession("hang", merged, change...)
	r.push(ctx, "Debug the checkout")
	return r.reaches(ctx, "hang", v1alpha1.PhaseActive)
}

func (r *run) change(change func(*v1alpha1.DebugSession)) {
	changeFile(r, r.sessionFile("hang"), change)
}

func ttl(of time.Duration) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) { s.Spec.TTL = &metav1.Duration{Duration: of} }
}

func ending(s *v1alpha1.DebugSession) { s.Spec.End = true }

func edited(ctx context.Context, f *run) {
	session := f.active(ctx, ttl(20*time.Minute))
	f.change(ttl(40 * time.Minute))
	f.push(ctx, "Take longer")
	f.Eventually(func(g Gomega) {
		now := f.session(ctx, g, "hang")
		g.Expect(now.Status.ExpiresAt.Sub(session.Status.ExpiresAt.Time)).To(Equal(20 * time.Minute))
	}).Should(Succeed())
	f.Expect(f.written().flux).To(Equal(2))
	f.change(ending)
	f.push(ctx, "End it")
	f.ends(ctx, "hang", v1alpha1.OutcomeTerminated)
	f.Expect(f.written().flux).To(Equal(3))
	_, running := f.debuggers(ctx, f)
	f.Expect(running).To(BeZero())
}

func editedAfterItsEnd(ctx context.Context, f *run) {
	session := f.active(ctx)
	f.change(ending)
	f.push(ctx, "End it")
	ended := f.ends(ctx, "hang", v1alpha1.OutcomeTerminated)
	f.change(func(s *v1alpha1.DebugSession) {
		s.Labels, s.Spec.TTL, s.Spec.End = map[string]string{"incident": "1234"}, &metav1.Duration{Duration: 5 * time.Minute}, false
	})
	f.push(ctx, "Have it back")
	now := f.session(ctx, f, "hang")
	f.Expect(now.UID).To(Equal(session.UID))
	f.Expect(now.Labels).To(HaveKeyWithValue("incident", "1234"))
	f.Expect([]any{now.Status.Phase, now.Status.Outcome, now.Status.EndedAt, now.Status.ExpiresAt}).
		To(Equal([]any{v1alpha1.PhaseEnded, v1alpha1.OutcomeTerminated, ended.Status.EndedAt, ended.Status.ExpiresAt}))
	f.staysAsItIs(ctx, now)
	_, running := f.debuggers(ctx, f)
	f.Expect(running).To(BeZero())
}

func changedByHand(ctx context.Context, f *run) {
	session := f.active(ctx, ttl(20*time.Minute))
	f.byHand(ctx, `{"spec":{"ttl":"40m"}}`)
	f.Expect(f.again(ctx, "sessions").Ready).To(Equal("True"))
	f.Eventually(func(g Gomega) {
		now := f.session(ctx, g, "hang")
		g.Expect(now.Spec.TTL.Duration).To(Equal(20 * time.Minute))
		g.Expect(now.Status.ExpiresAt).To(Equal(session.Status.ExpiresAt))
	}).Should(Succeed())
	wrote := f.written()
	f.Expect([]int{wrote.flux, wrote.others}).To(Equal([]int{2, 1}))
}

// byHand is an administrator's kubectl patch of the session.
func (r *run) byHand(ctx context.Context, patch string) {
	r.t.Helper()
	session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: r.team, Name: "hang"}}
	r.Expect(r.w.client.Patch(ctx, session, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}

func endedByHand(ctx context.Context, f *run) {
	f.active(ctx)
	f.byHand(ctx, `{"spec":{"end":true}}`)
	ended := f.ends(ctx, "hang", v1alpha1.OutcomeTerminated)
	f.staysAsItIs(ctx, ended)
}

// staysAsItIs has Flux apply an ended session some times, and expects no write of anybody.
func (r *run) staysAsItIs(ctx context.Context, ended *v1alpha1.DebugSession) {
	r.t.Helper()
	before := r.w.written(r, r.team, ended.Name)
	for range 3 {
		r.Expect(r.again(ctx, "sessions").Ready).To(Equal("True"))
	}
	r.Expect(r.w.written(r, r.team, ended.Name)).To(Equal(before))
	now := r.session(ctx, r, ended.Name)
	r.Expect([]any{now.UID, now.ResourceVersion}).To(Equal([]any{ended.UID, ended.ResourceVersion}))
}

func immutable(ctx context.Context, f *run) {
	session := f.active(ctx)
	f.change(func(s *v1alpha1.DebugSession) { s.Spec.Reason = "INC-9999: another" })
	f.Expect(f.pushRefused(ctx, "Say why")).To(ContainSubstring("reason cannot be changed"))
	f.Expect(f.session(ctx, f, "hang").Status.Phase).To(Equal(v1alpha1.PhaseActive))
	f.revert(ctx)
	now := f.session(ctx, f, "hang")
	f.Expect(now.UID).To(Equal(session.UID))
	f.Expect(now.Status.Phase).To(Equal(v1alpha1.PhaseActive))
	f.Expect(f.written().flux).To(Equal(1))
}

// fluxFile is where a team's Kustomizations are.
func (r *run) fluxFile() string { return "teams/" + r.team + "/flux.yaml" }

// setFlux replaces a text in that file, once.
func (r *run) setFlux(old, by string) {
	r.t.Helper()
	text := r.repo.read(r.fluxFile())
	r.Expect(strings.Count(text, old)).To(Equal(1), old)
	r.repo.write(r.fluxFile(), strings.Replace(text, old, by, 1))
}

// sets has Flux apply a setting of the team's sessions. What is committed after it is applied so, and not what is committed with it: that
// may be applied before.
func (r *run) sets(ctx context.Context, settings string) {
	r.t.Helper()
	path := "  path: ./sessions/" + r.team + "\n"
	r.setFlux(path, path+settings)
	r.push(ctx, "Set how sessions are applied")
}

func appliedByAnother(ctx context.Context, f *run) {
	session := f.active(ctx)
	f.setFlux("  serviceAccountName: sessions\n", "")              // and so by kustomize-controller itself
	f.settled(ctx, f.repo.commit("Apply sessions as Flux itself")) // applied before the change, or refused after it
	f.change(func(s *v1alpha1.DebugSession) { s.Labels = map[string]string{"incident": "1234"} })
	f.Expect(f.pushRefused(ctx, "Say which incident")).To(ContainSubstring("system:serviceaccount:" + f.gitops() + ":sessions"))
	f.Expect(f.session(ctx, f, "hang").Status.Phase).To(Equal(v1alpha1.PhaseActive))
	f.change(ending)
	f.push(ctx, "End it")
	f.Expect(f.ends(ctx, "hang", v1alpha1.OutcomeTerminated).UID).To(Equal(session.UID))
}

func (r *run) gone(ctx context.Context, name string) {
	r.t.Helper()
	r.Eventually(func() bool {
		err := r.w.client.Get(ctx, client.ObjectKey{Namespace: r.team, Name: name}, &v1alpha1.DebugSession{})
		return apierrors.IsNotFound(err)
	}).WithContext(ctx).Should(BeTrue())
}

func pruned(ctx context.Context, f *run) {
	f.active(ctx)
	f.repo.remove(f.sessionFile("hang"))
	f.push(ctx, "Close the incident")
	f.gone(ctx, "hang")
	all, running := f.debuggers(ctx, f)
	f.Expect([]int{all, running}).To(Equal([]int{1, 0}))
	f.Expect(f.written().flux).To(Equal(2))
}

// never expects a session that was applied when its time had passed.
func (r *run) never(ctx context.Context) {
	r.t.Helper()
	session := r.ends(ctx, "hang", v1alpha1.OutcomeExpired)
	r.Expect(session.Status.StartedAt).To(BeNil())
	all, running := r.debuggers(ctx, r)
	r.Expect([]int{all, running}).To(Equal([]int{1, 0}), "the first has put in one, and the second none")
	r.staysAsItIs(ctx, session)
}

func addedAgain(ctx context.Context, f *run) {
	f.active(ctx, notAfter(soon))
	text := f.repo.read(f.sessionFile("hang"))
	f.ends(ctx, "hang", v1alpha1.OutcomeExpired)
	f.repo.remove(f.sessionFile("hang"))
	f.push(ctx, "Close the incident")
	f.gone(ctx, "hang")
	f.repo.write(f.sessionFile("hang"), text)
	f.push(ctx, "Bring it back by mistake")
	f.never(ctx)
}

func (r *run) delete(ctx context.Context) {
	r.t.Helper()
	session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: r.team, Name: "hang"}}
	r.Expect(r.w.client.Delete(ctx, session)).To(Succeed())
	r.gone(ctx, "hang")
}

func deletedByHand(ctx context.Context, f *run) {
	session := f.active(ctx)
	f.delete(ctx)
	_, running := f.debuggers(ctx, f)
	f.Expect(running).To(BeZero())
	f.Expect(f.again(ctx, "sessions").Ready).To(Equal("True"))
	f.Expect(f.reaches(ctx, "hang", v1alpha1.PhaseActive).UID).NotTo(Equal(session.UID))
	all, running := f.debuggers(ctx, f)
	f.Expect([]int{all, running}).To(Equal([]int{2, 1}))
}

func deletedByHandAfterwards(ctx context.Context, f *run) {
	f.active(ctx, notAfter(soon))
	f.ends(ctx, "hang", v1alpha1.OutcomeExpired)
	f.delete(ctx)
	f.Expect(f.again(ctx, "sessions").Ready).To(Equal("True"))
	f.never(ctx)
}

func suspended(ctx context.Context, f *run) {
	f.active(ctx, notAfter(soon))
	f.setFlux("  path: ./sessions/"+f.team+"\n", "  path: ./sessions/"+f.team+"\n  suspend: true\n")
	f.suspends(ctx, f.repo.commit("Suspend the sessions"))
	f.writeSession("second", asking)
	f.suspends(ctx, f.repo.commit("Debug something else"))
	f.ends(ctx, "hang", v1alpha1.OutcomeExpired)
	f.delete(ctx)
	f.Expect(apierrors.IsNotFound(f.w.client.Get(ctx, client.ObjectKey{Namespace: f.team, Name: "second"}, &v1alpha1.DebugSession{}))).To(BeTrue())
	f.setFlux("  suspend: true\n", "")
	f.push(ctx, "Resume them")
	f.never(ctx)
	f.reaches(ctx, "second", v1alpha1.PhaseAwaitingApproval)
}

// suspends waits until Flux has seen a revision and applies no sessions any more.
func (r *run) suspends(ctx context.Context, revision string) {
	r.t.Helper()
	r.tries(ctx, r.teams(), revision)
	r.tries(ctx, r.of("approvals"), revision)
	sessions, _ := r.kustomization(ctx, r, r.of("sessions"))
	r.Expect(sessions.Object["spec"]).To(HaveKeyWithValue("suspend", true))
}

func exempt(ctx context.Context, f *run) {
	f.writeSession("asks", asking)
	session := f.active(ctx)
	f.Expect(session.Spec.Requester.Username).To(Equal("system:serviceaccount:" + f.gitops() + ":sessions"))
	f.Expect(session.Status.Approvals).To(BeEmpty())
	f.reaches(ctx, "asks", v1alpha1.PhaseAwaitingApproval)
}

// asks has a session ask for approval, and approves it or not by a commit of its own.
func (r *run) asks(ctx context.Context) {
	r.t.Helper()
	r.writeSession("hang", asking)
	r.push(ctx, "Debug the checkout")
	r.reaches(ctx, "hang", v1alpha1.PhaseAwaitingApproval)
}

func (r *run) approve(ctx context.Context, decision v1alpha1.Decision) {
	r.t.Helper()
	r.writeApproval("hang", decision, r.session(ctx, r, "hang").Status.Request.Hash)
	r.push(ctx, fmt.Sprintf("%s it", decision))
}

func (r *run) writeApproval(name string, decision v1alpha1.Decision, hash string) {
	r.t.Helper()
	r.repo.write(r.approvalFile(name), strings.ReplaceAll(r.repo.read("approvals/"+exampleTeam+"/"+asking+".yaml"), exampleTeam, r.team))
	changeFile(r, r.approvalFile(name), func(a *v1alpha1.DebugApproval) {
		a.Name, a.Spec.SessionName, a.Spec.Decision, a.Spec.RequestHash = name, "hang", decision, hash
		if decision == v1alpha1.DecisionDeny {
			a.Spec.TTL = nil
		}
	})
}

// counts waits until an approval is judged, and expects one of those reasons.
func (r *run) counts(ctx context.Context, name string, reasons ...any) *v1alpha1.DebugApproval {
	r.t.Helper()
	approval := &v1alpha1.DebugApproval{}
	r.Eventually(func(g Gomega) {
		g.Expect(r.w.client.Get(ctx, client.ObjectKey{Namespace: r.team, Name: name}, approval)).To(Succeed())
		counted := meta.FindStatusCondition(approval.Status.Conditions, v1alpha1.ConditionCounted)
		g.Expect(counted).NotTo(BeNil())
		g.Expect(counted.Reason).To(BeElementOf(reasons...))
	}).WithContext(ctx).Should(Succeed())
	return approval
}

func approvedAndReverted(ctx context.Context, f *run) {
	f.asks(ctx)
	f.approve(ctx, v1alpha1.DecisionApprove)
	session := f.reaches(ctx, "hang", v1alpha1.PhaseActive)
	f.Expect(session.Status.Approvals).To(HaveLen(1))
	f.Expect(session.Status.Approvals[0].By).To(Equal("system:serviceaccount:" + f.gitops() + ":approvals"))
	f.Expect(f.again(ctx, "approvals").Ready).To(Equal("True"))
	f.Expect(f.written().flux).To(Equal(2), "a session and an approval")
	f.revert(ctx)
	f.staysAsItIs(ctx, f.ends(ctx, "hang", v1alpha1.OutcomeRevoked))
	_, running := f.debuggers(ctx, f)
	f.Expect(running).To(BeZero())
}

func denied(ctx context.Context, f *run) {
	f.asks(ctx)
	f.approve(ctx, v1alpha1.DecisionDeny)
	session := f.ends(ctx, "hang", v1alpha1.OutcomeDenied)
	f.revert(ctx) // it is final
	f.staysAsItIs(ctx, session)
	all, _ := f.debuggers(ctx, f)
	f.Expect(all).To(BeZero())
}

func together(ctx context.Context, f *run) {
	f.writeSession("hang", asking)
	f.writeApproval("early", v1alpha1.DecisionApprove, "sha256:"+strings.Repeat("0", 64))
	// It comes before the session or after it: then it is refused, since its hash is not that of what the session asks for.
	sessions, approvals := f.settled(ctx, f.repo.commit("Debug the checkout, and approve it"))
	f.Expect(sessions.Ready).To(Equal("True"))
	f.reaches(ctx, "hang", v1alpha1.PhaseAwaitingApproval)
	if approvals.Ready == "True" {
		f.counts(ctx, "early", v1alpha1.ReasonUnbound)
	} else {
		f.Expect(approvals.Message).To(ContainSubstring("requestHash"))
	}
	f.repo.remove(f.approvalFile("early"))
	f.approve(ctx, v1alpha1.DecisionApprove)
	f.reaches(ctx, "hang", v1alpha1.PhaseActive)
}

func leftOver(ctx context.Context, f *run) {
	f.asks(ctx)
	f.approve(ctx, v1alpha1.DecisionApprove)
	f.reaches(ctx, "hang", v1alpha1.PhaseActive)
	f.repo.remove(f.sessionFile("hang"))
	f.push(ctx, "Close the incident, and forget the approval")
	f.gone(ctx, "hang")
	f.Expect(f.again(ctx, "approvals").Ready).To(Equal("True"))
	f.counts(ctx, "hang", v1alpha1.ReasonOtherSession)
}

func forced(ctx context.Context, f *run) {
	f.runCheckout(ctx, "cart")
	f.sets(ctx, "  force: true\n")
	f.asks(ctx)
	f.approve(ctx, v1alpha1.DecisionApprove)
	session := f.reaches(ctx, "hang", v1alpha1.PhaseActive)
	f.Expect(f.again(ctx, "sessions").Ready).To(Equal("True"))
	f.Expect(f.session(ctx, f, "hang").UID).To(Equal(session.UID), "the same manifest is never forced")
	f.change(func(s *v1alpha1.DebugSession) { s.Spec.Target.Workload.Name = "cart" })
	f.push(ctx, "Debug the cart instead")
	f.Eventually(func(g Gomega) {
		now := f.session(ctx, g, "hang")
		g.Expect(now.UID).NotTo(Equal(session.UID))
		g.Expect(now.Status.Phase).To(Equal(v1alpha1.PhaseAwaitingApproval))
	}).Should(Succeed())
	f.counts(ctx, "hang", v1alpha1.ReasonOtherSession)
	_, running := f.debuggers(ctx, f)
	f.Expect(running).To(BeZero())
}

// waiting is a Kustomization that waits, and not for as long as the test does.
const waiting = "  wait: true\n  timeout: 15s\n"

func waited(ctx context.Context, f *run) {
	f.sets(ctx, waiting)
	f.writeSession("hang", asking)
	f.Expect(f.pushRefused(ctx, "Debug the checkout")).To(And(ContainSubstring("DebugSession/"+f.team+"/hang"), ContainSubstring("InProgress")))
	f.writeApproval("hang", v1alpha1.DecisionApprove, f.session(ctx, f, "hang").Status.Request.Hash)
	f.push(ctx, "Approve it")
	f.reaches(ctx, "hang", v1alpha1.PhaseActive)
}

func armed(ctx context.Context, f *run) {
	f.sets(ctx, waiting)
	f.writeSession("hang", merged, func(s *v1alpha1.DebugSession) {
		s.Spec.Target.Pick, s.Spec.Target.When = "", &v1alpha1.When{Crashed: true}
	})
	f.push(ctx, "Debug the next crash")
	session := f.session(ctx, f, "hang")
	f.Expect(session.Status.Phase).To(Equal(v1alpha1.PhasePending))
	f.Expect(session.Status.Reason).To(Equal(v1alpha1.ReasonArmed))
}

func waitedForDenied(ctx context.Context, f *run) {
	f.sets(ctx, waiting)
	f.writeSession("hang", asking)
	f.pushRefused(ctx, "Debug the checkout")
	f.writeApproval("hang", v1alpha1.DecisionDeny, "")
	f.repo.commit("Deny it")
	f.ends(ctx, "hang", v1alpha1.OutcomeDenied)
	said := f.again(ctx, "sessions")
	f.Expect(said.Ready).To(Equal("False"))
	f.Expect(said.Message).To(And(ContainSubstring("DebugSession/"+f.team+"/hang"), ContainSubstring("Failed")))
}

func moved(ctx context.Context, f *run) {
	text := f.repo.read(f.fluxFile())
	sessions := strings.Split(text, "---\n")[1]
	other := strings.NewReplacer("name: sessions, namespace", "name: archive, namespace", "./sessions/"+f.team, "./sessions/"+f.team+"-archive").Replace(sessions)
	f.repo.write(f.fluxFile(), text+"---\n"+other)
	f.repo.write("sessions/"+f.team+"-archive/README.md", "This file keeps the folder.\n")
	session := f.active(ctx, func(s *v1alpha1.DebugSession) {
		s.Annotations = map[string]string{"kustomize.toolkit.fluxcd.io/prune": "disabled"}
	})
	file := f.repo.read(f.sessionFile("hang"))
	f.repo.remove(f.sessionFile("hang"))
	f.repo.write("sessions/"+f.team+"-archive/hang.yaml", file)
	f.push(ctx, "Move it")
	f.Eventually(func(g Gomega) {
		now := f.session(ctx, g, "hang")
		g.Expect(now.Labels).To(HaveKeyWithValue("kustomize.toolkit.fluxcd.io/name", "archive"))
		g.Expect(now.UID).To(Equal(session.UID))
		g.Expect(now.Status.Phase).To(Equal(v1alpha1.PhaseActive))
	}).Should(Succeed())
}

func restarted(ctx context.Context, f *run) {
	f.writeSession("over", merged)
	session := f.active(ctx)
	changeFile(f, f.sessionFile("over"), ending)
	f.push(ctx, "End the other")
	over := f.ends(ctx, "over", v1alpha1.OutcomeTerminated)
	f.w.startOperator(ctx, f.t, clock.RealClock{})
	f.staysAsItIs(ctx, over)
	now := f.session(ctx, f, "hang")
	f.Expect([]any{now.UID, now.Status.Phase}).To(Equal([]any{session.UID, v1alpha1.PhaseActive}))
	all, running := f.debuggers(ctx, f)
	f.Expect([]int{all, running}).To(Equal([]int{2, 1}), "one each")
}

func retention(ctx context.Context, f *run) {
	class := "teams/" + f.team + "/class.yaml"
	changeFile(f, class, func(c *v1alpha1.DebugClass) { c.Spec.Retention = &metav1.Duration{Duration: time.Hour} })
	f.push(ctx, "Keep records for an hour")
	session := f.active(ctx)
	f.Expect(session.Status.Class.Retention.Duration).To(Equal(time.Hour))
	f.change(ending)
	f.push(ctx, "End it")
	ended := f.ends(ctx, "hang", v1alpha1.OutcomeTerminated)

	plain := ended.DeepCopy() // as by hand: without what Flux puts on it
	plain.ObjectMeta = metav1.ObjectMeta{Namespace: f.team, Name: "plain"}
	plain.Spec.Requester = nil
	plain.Spec.End = false
	f.Expect(f.w.client.Create(ctx, plain)).To(Succeed())
	f.reaches(ctx, "plain", v1alpha1.PhaseAwaitingApproval)
	f.Expect(f.w.client.Patch(ctx, plain, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"end":true}}`)))).To(Succeed())
	f.ends(ctx, "plain", v1alpha1.OutcomeTerminated)

	f.w.startOperator(ctx, f.t, ahead{2 * time.Hour})
	f.gone(ctx, "plain")
	f.staysAsItIs(ctx, ended)
}
