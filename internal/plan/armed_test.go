package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// notAfter is when the fixtures' armed sessions are over.
var notAfter = fixture.Created.Add(time.Hour)

// armed is a session that is armed since now, and watches those pods.
func armed(t tester, session *v1alpha1.DebugSession, pods ...corev1.Pod) *v1alpha1.DebugSession {
	t.Helper()
	session = session.DeepCopy()
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, watched(pods...)))
	if p.Status.Armed == nil || p.Status.Armed.Since == nil || p.Status.Reason != v1alpha1.ReasonArmed {
		t.Fatalf("not armed: %s: %s", p.Status.Phase, said(p))
	}
	return written(session, p)
}

func ofWeb(options ...fixture.SessionOption) *v1alpha1.DebugSession {
	return fixture.Session(append([]fixture.SessionOption{fixture.OfWorkload("Deployment", "web")}, options...)...)
}

// unready is a pod that is not ready since that moment.
func unready(since time.Time) fixture.PodOption {
	return func(p *corev1.Pod) {
		p.Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse,
			LastTransitionTime: metav1.NewTime(since), Reason: "ContainersNotReady", Message: "containers with unready status: [app]"}
	}
}

func TestArm(t *testing.T) {
	session := ofWeb(fixture.Crashed)
	p := pass(t, about(session, watched(*fixture.Pod(), *fixture.Pod(fixture.Named("web-2")))))
	want{phase: v1alpha1.PhasePending, reason: "Armed", does: "AddFinalizer", wakes: notAfter}.check(t, p)
	if got := p.Status.Armed; got.Selector != "app=web" || !got.Since.Time.Equal(now) || got.TriggeredAt != nil {
		t.Errorf("armed is %+v", got)
	}
	if got := p.Status.Target; got.Name != "deployment/web" || got.PodName != "" {
		t.Errorf("target is %+v", got)
	}
	const says = "waiting until a pod of deployment/web crashes; pods watched: 2; until 2026-11-24T13:00:00Z"
	for _, kind := range []string{v1alpha1.ConditionAdmissible, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(p.Status.Conditions, kind); c == nil || c.Status != metav1.ConditionTrue {
			t.Errorf("condition %s is %+v, want True: nothing is to be done about it", kind, c)
		}
	}
	if got := p.Status.Message(); got != says {
		t.Errorf("says %q, want %q", got, says)
	}

	t.Run("and it rests", func(t *testing.T) {
		session := written(session, p)
		session.Finalizers = []string{v1alpha1.Finalizer}
		again := pass(t, about(session, watched(*fixture.Pod(), *fixture.Pod(fixture.Named("web-2"))), at(after(time.Minute))))
		want{phase: v1alpha1.PhasePending, reason: "Armed", wakes: notAfter}.check(t, again)
		quiet(t, session, again)
	})
	t.Run("before there is a pod", func(t *testing.T) {
		p := pass(t, about(session, watched()))
		want{phase: v1alpha1.PhasePending, reason: "Armed", does: "AddFinalizer", wakes: notAfter}.check(t, p)
	})
	t.Run("not before its pods are known", func(t *testing.T) {
		p := pass(t, about(session, watchedAre(plan.Awaited[[]corev1.Pod]())))
		want{does: "AddFinalizer"}.check(t, p)
		if p.Status.Armed != nil {
			t.Error("something is said of it")
		}
	})
}

func TestWhatCannotBeArmed(t *testing.T) {
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		look    look
		want    want
	}{
		"of a container that no pod has": {
			ofWeb(fixture.Crashed, func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "ap" }), watched(*fixture.Pod()),
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ContainerNotFound", warns: "Rejected"},
		},
		"without the workload": {
			ofWeb(fixture.Crashed), func(v *view) { v.selector = new(plan.Absent[string]()) },
			want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", warns: "TargetNotFound", says: `there is no Deployment "web"`},
		},
		"of what selects nothing": {
			ofWeb(fixture.Crashed), func(v *view) {
				v.selector = new(plan.Unknown[string](&plan.Refusal{Reason: v1alpha1.ReasonInvalid, Message: "it has no selector"}))
			},
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "Invalid", warns: "Rejected"},
		},
		"of one who may not use the class": {
			ofWeb(fixture.Crashed), func(v *view) {
				v.watched, v.mayUse, v.now = new(plan.Found([]corev1.Pod{})), new(plan.Found(false)), after(time.Minute)
			},
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "UseForbidden", warns: "Rejected"},
		},
		"beyond the class's limits": {
			ofWeb(fixture.Crashed), func(v *view) {
				v.class = new(plan.Found(fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Limits = &v1alpha1.ClassLimits{PerNamespace: 1} })))
				v.watched, v.running = new(plan.Found([]corev1.Pod{})), new(plan.Found(plan.Running{InNamespace: 1}))
			},
			want{phase: v1alpha1.PhasePending, reason: "LimitReached", warns: "LimitReached"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.session.Finalizers = []string{v1alpha1.Finalizer}
			p := pass(t, about(tc.session, tc.look))
			tc.want.check(t, p)
			if p.Status.Armed != nil && p.Status.Armed.Since != nil {
				t.Error("it is armed")
			}
		})
	}
}

func TestWhatTriggers(t *testing.T) {
	const minute = time.Minute
	pod := func(name string, changes ...fixture.PodOption) corev1.Pod {
		return *fixture.Pod(append([]fixture.PodOption{fixture.Named(name)}, changes...)...)
	}
	crash := after(minute)
	sidecar := func(restart *corev1.ContainerRestartPolicy) fixture.PodOption {
		return func(p *corev1.Pod) {
			p.Spec.InitContainers[0].RestartPolicy = restart
			fixture.InitContainerState("setup", fixture.Exited(crash, 1, "Error", ""))(p)
		}
	}
	always := corev1.ContainerRestartPolicyAlways
	proxy := func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "proxy" }
	setup := func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "setup" }
	failed := fixture.Finished(corev1.PodFailed, "", "")

	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		pods    []corev1.Pod
		at      time.Time
		want    string // the pod; "": none
		says    string
		wakes   time.Time // left out: notAfter
	}{
		"none crashed": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a"), pod("b")}},
		"a restart": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a"), pod("b", restarted(crash, 137, "OOMKilled"))}, want: "b",
			says: `b crashed: container "app" ended (OOMKilled, exit code 137) at 2026-11-24T12:01:01Z`},
		"a restart of one that ended well":              {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(crash, 0, "Completed"))}, want: "a"},
		"a restart of before":                           {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(now.Add(-time.Hour), 1, "Error"))}},
		"a restart in the second in which it was armed": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(now, 1, "Error"))}},
		"one of which nobody knows when":                {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(time.Time{}, 137, "RestartingAllContainers"))}},
		"not yet restarted":                             {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", fixture.ContainerState("app", fixture.Exited(crash, 1, "Error", "")))}, want: "a"},
		"CrashLoopBackOff": {session: ofWeb(fixture.Crashed), want: "a", pods: []corev1.Pod{pod("a", func(p *corev1.Pod) {
			restarted(crash, 1, "Error")(p)
			p.Status.ContainerStatuses[len(p.Status.ContainerStatuses)-1].State = fixture.Waiting("CrashLoopBackOff", "back-off 10s")
		})}},
		"the first of two":                      {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(crash, 1, "Error")), pod("b", restarted(crash.Add(-time.Second), 1, "Error"))}, want: "b"},
		"by name, of two at once":               {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("b", restarted(crash, 1, "Error")), pod("a", restarted(crash, 1, "Error"))}, want: "a"},
		"that ended well, and is not restarted": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", never(fixture.Exited(crash, 0, "Completed", "")))}},
		"another container than is named":       {session: ofWeb(fixture.Crashed, proxy), pods: []corev1.Pod{pod("a", restarted(crash, 1, "Error"))}},
		"the container that is named": {session: ofWeb(fixture.Crashed, proxy), want: "a",
			pods: []corev1.Pod{pod("a", fixture.ContainerState("proxy", fixture.Exited(crash, 1, "Error", "")))}},
		"an init container":               {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", sidecar(nil))}},
		"a sidecar":                       {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", sidecar(&always))}, want: "a"},
		"an init container that is named": {session: ofWeb(fixture.Crashed, setup), pods: []corev1.Pod{pod("a", sidecar(nil))}, want: "a"},
		"one that is being deleted":       {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(crash, 143, "Error"), fixture.Terminating)}},
		"one that has finished": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", never(fixture.Exited(crash, 1, "Error", "")), failed)},
			says: `passed over, as no debugger can be started in it: a crashed: container "app" ended (Error, exit code 1) at 2026-11-24T12:01:01Z; mode: PodCopy would copy it`},
		"a copy of one that has finished": {session: ofWeb(fixture.Crashed, fixture.AsCopy()), want: "a",
			pods: []corev1.Pod{pod("a", never(fixture.Exited(crash, 1, "Error", "")), failed)}},
		"a static pod": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(crash, 1, "Error"), fixture.Mirror)}, says: "passed over"},
		"a copy that kept the labels": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", restarted(crash, 1, "Error"), func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession", Name: "other", Controller: new(true)}}
		})}},

		"not ready": {session: ofWeb(fixture.NotReadyFor(2 * minute)), pods: []corev1.Pod{pod("a"), pod("b", unready(after(minute)))}, at: after(3 * minute), want: "b",
			says: "b was not ready for 2m at 2026-11-24T12:03:01Z: ContainersNotReady: containers with unready status: [app]"},
		"not ready for less": {session: ofWeb(fixture.NotReadyFor(2 * minute)), pods: []corev1.Pod{pod("a", unready(after(minute)))}, at: after(2 * minute), wakes: after(3 * minute)},
		"not ready before it was armed": {session: ofWeb(fixture.NotReadyFor(2 * minute)), pods: []corev1.Pod{pod("a", unready(now.Add(-time.Hour)))},
			at: after(minute), wakes: after(2 * minute)},
		"not ready, and finished":                      {session: ofWeb(fixture.NotReadyFor(2 * minute)), pods: []corev1.Pod{pod("a", unready(after(minute)), failed)}, at: after(30 * minute)},
		"crashed, but ready":                           {session: ofWeb(fixture.NotReadyFor(2 * minute)), pods: []corev1.Pod{pod("a", restarted(crash, 1, "Error"))}, at: after(30 * minute)},
		"crashed, which is what counts, and not ready": {session: ofWeb(fixture.Crashed), pods: []corev1.Pod{pod("a", unready(after(minute)))}, at: after(30 * minute)},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.at.IsZero() {
				tc.at = after(2 * minute)
			}
			if tc.wakes.IsZero() {
				tc.wakes = notAfter
			}
			session := armed(t, tc.session)
			p := pass(t, about(session, watched(tc.pods...), at(tc.at)))
			if tc.want == "" {
				want{phase: v1alpha1.PhasePending, reason: "Armed", wakes: tc.wakes}.check(t, p)
				if got := p.Status.Message(); !strings.Contains(got, tc.says) || tc.says == "" && strings.Contains(got, "passed over") {
					t.Errorf("says %q, want %q in it", got, tc.says)
				}
				return
			}
			want{phase: v1alpha1.PhasePending, reason: "TargetChosen", warns: "Triggered"}.check(t, p)
			got := p.Status.Target
			if got.PodName != tc.want || got.PodUID != pod(tc.want).UID || !strings.Contains(got.Choice, tc.says) || !strings.HasPrefix(got.Choice, tc.want) {
				t.Errorf("target is %+v, want %s, as %q", got, tc.want, tc.says)
			}
			if at := p.Status.Armed.TriggeredAt; at == nil || !at.Time.Equal(tc.at) {
				t.Errorf("triggered at %s", at)
			}
		})
	}
}

// What has triggered the session is debugged as one that was named, after all that is asked right before a start.
func TestTheTriggeredIsDebugged(t *testing.T) {
	crashed := fixture.Pod(restarted(after(time.Minute), 1, "Error"))
	session := armed(t, ofWeb(fixture.Crashed), *fixture.Pod())
	session = written(session, pass(t, about(session, watched(*crashed), at(after(time.Minute+time.Second)))))
	later := at(after(time.Minute + 2*time.Second))

	t.Run("", func(t *testing.T) {
		p := pass(t, about(session, target(crashed), later))
		want{phase: v1alpha1.PhaseStarting}.check(t, p)
		if got := p.Status.Target; got.PodUID != crashed.UID || got.Choice != session.Status.Target.Choice {
			t.Errorf("target is %+v", got)
		}
	})
	t.Run("but not another of its name", func(t *testing.T) {
		p := pass(t, about(session, target(fixture.Pod(fixture.UID(fixture.OtherUID))), later))
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone, warns: "TargetGone"}.check(t, p)
	})
	t.Run("but not for one whose rights have gone", func(t *testing.T) {
		v := about(session, target(crashed), later)
		v.mayUse = new(plan.Found(false))
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "UseForbidden", warns: "Rejected"}.check(t, pass(t, v))
	})
	t.Run("when its container runs again", func(t *testing.T) {
		waiting := fixture.Pod(restarted(after(time.Minute), 1, "Error"), fixture.ContainerState("app", fixture.Exited(after(time.Minute), 1, "Error", "")))
		p := pass(t, about(session, target(waiting), at(after(30*time.Minute)))) // it is waited for from then on
		want{phase: v1alpha1.PhasePending, reason: "TargetNotRunning", warns: "TargetNotRunning", wakes: after(35 * time.Minute)}.check(t, p)
	})
}

func TestAnArmedSessionEnds(t *testing.T) {
	session := armed(t, ofWeb(fixture.Crashed), *fixture.Pod())
	for name, tc := range map[string]struct {
		change fixture.SessionOption
		look   look
		want   want
	}{
		"at notAfter": {
			func(*v1alpha1.DebugSession) {}, at(notAfter),
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeExpired, reason: "NotTriggered", says: "it was not seen that a pod of deployment/web crashes; nothing was started"},
		},
		"when it is asked": {
			fixture.End, silent,
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated, says: "nothing was created"},
		},
		"when it is deleted": {
			fixture.Deleted, silent,
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTerminated},
		},
		"when its class does not allow it any more": {
			func(*v1alpha1.DebugSession) {}, func(v *view) {
				v.class = new(plan.Found(fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy} })))
			},
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", warns: "Rejected"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			session := session.DeepCopy()
			tc.change(session)
			tc.want.check(t, pass(t, about(session, tc.look)))
		})
	}
	t.Run("as not started, if it was not known what its pods did", func(t *testing.T) {
		p := pass(t, about(session, watchedAre(plan.Unknown[[]corev1.Pod](errOffline)), at(after(time.Minute))))
		want{phase: v1alpha1.PhasePending, reason: "Unreadable", retries: true, warns: "Unreadable"}.check(t, p)
		p = pass(t, about(written(session, p), at(notAfter)))
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeNotStarted, reason: "Unreadable", warns: "NotStarted"}.check(t, p)
	})
}

// It is approved for whichever pod it will be, and for nothing else than was shown.
func TestAnArmedSessionIsApprovedBefore(t *testing.T) {
	class := new(plan.Found(fixture.Class(fixture.Approvals(1))))
	token := func(name string) fixture.PodOption {
		return func(p *corev1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name})
			p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/var/run/secrets"})
		}
	}
	for name, mode := range map[string]fixture.SessionOption{"ephemeral": func(*v1alpha1.DebugSession) {}, "copy": fixture.AsCopy()} {
		t.Run(name, func(t *testing.T) {
			session := ofWeb(fixture.Crashed, mode)
			session.Finalizers = []string{v1alpha1.Finalizer}
			look := func(v view, approvals ...approval.Approval) view {
				v.class, v.approvals, v.copied = class, new(plan.Found(approvals)), new(absent())
				return v
			}
			p := pass(t, look(about(session, watched())))
			want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", warns: "TargetNotFound", says: "approvers must be shown what would be made"}.check(t, p)

			p = pass(t, look(about(session, watched(*fixture.Pod(token("kube-api-access-aaaaa"))))))
			want{phase: v1alpha1.PhaseAwaitingApproval, reason: "AwaitingApproval"}.check(t, p)
			session = written(session, p)
			if session.Status.Armed.Since != nil || session.Status.Target.Name != "deployment/web" || session.Status.Target.PodUID != "" {
				t.Errorf("armed is %+v, target %+v", session.Status.Armed, session.Status.Target)
			}
			crashedBefore := watched(*fixture.Pod(restarted(after(time.Second), 1, "Error")))
			p = pass(t, look(about(session, crashedBefore, at(after(2*time.Second)))))
			want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)

			yes := approval.Approval{DebugApproval: fixture.Approval("yes", session, v1alpha1.DecisionApprove, after(3*time.Second)), Sealed: true}
			p = pass(t, look(about(session, crashedBefore, at(after(4*time.Second))), yes))
			want{phase: v1alpha1.PhasePending, reason: "Armed"}.check(t, p)
			session = written(session, p)

			t.Run("which is taken back", func(t *testing.T) {
				p := pass(t, look(about(session, watched(), at(after(time.Minute)))))
				want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRevoked, says: "nothing was created"}.check(t, p)
				if len(p.Status.Approvals) != 1 {
					t.Errorf("the approvals that it was armed on are not on record: %v", p.Status.Approvals)
				}
			})
			t.Run("and denied after", func(t *testing.T) {
				no := approval.Approval{DebugApproval: fixture.Approval("no", session, v1alpha1.DecisionDeny, after(5*time.Second)), Sealed: true}
				p := pass(t, look(about(session, watched(), at(after(time.Minute))), yes, no))
				want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeDenied, warns: "Denied"}.check(t, p)
			})

			crash := restarted(after(time.Minute), 1, "Error")
			for name, tc := range map[string]struct {
				pod  *corev1.Pod
				want want
			}{
				"of one pod, for another": {fixture.Pod(fixture.Named("web-2"), token("kube-api-access-bbbbb"), crash), want{phase: v1alpha1.PhaseStarting}},
				"not for what was not shown": {fixture.Pod(fixture.Named("web-2"), token("kube-api-access-bbbbb"), crash, func(p *corev1.Pod) {
					p.Spec.Containers[0].Name, p.Spec.Containers[0].Image = "main", "app:2"
					p.Status.ContainerStatuses[0].Name = "main"
				}), want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "TargetChanged", warns: "Rejected"}},
			} {
				t.Run(name, func(t *testing.T) {
					p := pass(t, look(about(session, watched(*tc.pod), at(after(2*time.Minute))), yes))
					want{phase: v1alpha1.PhasePending, reason: "TargetChosen", warns: "Triggered"}.check(t, p)
					p = pass(t, look(about(written(session, p), target(tc.pod), at(after(2*time.Minute))), yes))
					tc.want.check(t, p)
				})
			}
		})
	}
}

// An approval that the watch has not seen taken back is no reason to start.
func TestATriggeredSessionAsksForItsApprovalAnew(t *testing.T) {
	class := new(plan.Found(fixture.Class(fixture.Approvals(1))))
	session := ofWeb(fixture.Crashed)
	session.Finalizers = []string{v1alpha1.Finalizer}
	v := about(session, watched(*fixture.Pod()))
	v.class = class
	session = written(session, pass(t, v))
	yes := plan.Found([]approval.Approval{{DebugApproval: fixture.Approval("yes", session, v1alpha1.DecisionApprove, now), Sealed: true}})
	see := func(v view) view {
		v.class, v.approvals, v.freshApprovals = class, &yes, new(plan.Found[[]approval.Approval](nil))
		return v
	}
	session = written(session, pass(t, see(about(session, watched(*fixture.Pod())))))
	crashed := fixture.Pod(restarted(after(time.Minute), 1, "Error"))
	session = written(session, pass(t, see(about(session, watched(*crashed), at(after(time.Minute))))))
	if session.Status.Armed.TriggeredAt == nil {
		t.Fatalf("not triggered: %s", session.Status.Message())
	}
	p := pass(t, see(about(session, target(crashed), at(after(time.Minute)))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRevoked}.check(t, p)
}

// What becomes the debugger of a copy is held against the class's images also if there was no pod when the session was armed.
func TestTheImageOfATriggeredPodIsHeldAgainstTheClass(t *testing.T) {
	class := new(plan.Found(fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Images = []string{"busybox:*"} })))
	see := func(v view) view {
		v.class = class
		return v
	}
	session := ofWeb(fixture.Crashed, fixture.AsCopy(), func(s *v1alpha1.DebugSession) { s.Spec.Debugger = v1alpha1.Debugger{Container: "app"} })
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, see(about(session, watched())))
	want{phase: v1alpha1.PhasePending, reason: "Armed", wakes: notAfter}.check(t, p)
	session = written(session, p)

	crashed := fixture.Pod(restarted(after(time.Minute), 1, "Error"))
	session = written(session, pass(t, see(about(session, watched(*crashed), at(after(time.Minute))))))
	p = pass(t, see(about(session, target(crashed), at(after(time.Minute)))))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "ClassForbids", warns: "Rejected"}.check(t, p)
}
