package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

const workloadUID types.UID = "d0000000-0000-4000-8000-000000000001"

// templateOf is the pod template of Deployment web.
func templateOf(uid types.UID, idle bool) *debugpod.Template {
	pod := fixture.Pod(fixture.Unplaced)
	pod.ObjectMeta = metav1.ObjectMeta{Namespace: fixture.Namespace, Name: "web", UID: uid, Labels: map[string]string{"app": "web"}}
	pod.Status = corev1.PodStatus{}
	return &debugpod.Template{Pod: pod, Idle: idle}
}

func templateIs(o plan.Observed[*debugpod.Template]) look { return func(v *view) { v.template = &o } }

func template(uid types.UID, idle bool) look { return templateIs(plan.Found(templateOf(uid, idle))) }

// copyOfWorkload asks for a copy of Deployment web.
func copyOfWorkload(changes ...func(*v1alpha1.PodCopy)) *v1alpha1.DebugSession {
	session := fixture.Session(fixture.OfWorkload("Deployment", "web"), fixture.AsCopy(changes...))
	session.Finalizers = []string{v1alpha1.Finalizer}
	return session
}

// copyOfTemplate is a session for which the pod template of Deployment web was chosen.
func copyOfTemplate(t *testing.T, changes ...func(*v1alpha1.PodCopy)) *v1alpha1.DebugSession {
	t.Helper()
	session := copyOfWorkload(changes...)
	p := pass(t, about(session, candidates(), template(workloadUID, true)))
	want{phase: v1alpha1.PhasePending, reason: "TargetChosen", says: `the pod template of Deployment "web", which has no pods and wants none`}.check(t, p)
	return written(session, p)
}

func TestAWorkloadWithoutPods(t *testing.T) {
	waits := want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", says: `Deployment "web" has no pods`, warns: "TargetNotFound",
		wakes: after(15 * time.Second)}
	t.Run("that wants none is copied by its template", func(t *testing.T) {
		if got := copyOfTemplate(t).Status.Target; got.Name != "deployment/web" || got.WorkloadUID != workloadUID || got.PodName != "" {
			t.Errorf("chose %+v", got)
		}
	})
	t.Run("though a copy has its labels", func(t *testing.T) {
		made := fixture.Pod(func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: v1alpha1.GroupVersion.String(), Kind: "DebugSession", Name: "other", Controller: new(true)},
			}
		})
		p := pass(t, about(copyOfWorkload(), candidates(*made), template(workloadUID, true)))
		want{phase: v1alpha1.PhasePending, reason: "TargetChosen"}.check(t, p)
	})
	t.Run("that wants some is waited for", func(t *testing.T) {
		waits.check(t, pass(t, about(copyOfWorkload(), candidates(), template(workloadUID, false))))
	})
	t.Run("that nobody can read is waited for", func(t *testing.T) {
		waits.check(t, pass(t, about(copyOfWorkload(), candidates(), templateIs(plan.Found(&debugpod.Template{})))))
	})
	t.Run("that cannot be read now is read again", func(t *testing.T) {
		want{phase: v1alpha1.PhasePending, reason: "Unreadable", warns: "Unreadable", retries: true}.check(t,
			pass(t, about(copyOfWorkload(), candidates(), templateIs(plan.Unknown[*debugpod.Template](errOffline)))))
	})
	t.Run("is not asked for its template by who wants one of its pods", func(t *testing.T) {
		session := copyOfWorkload()
		session.Spec.Target.Pick = v1alpha1.PickNewest
		waits.check(t, pass(t, about(session, candidates())))
	})
	t.Run("nor by who joins a pod, who is told", func(t *testing.T) {
		session := fixture.Session(fixture.OfWorkload("Deployment", "web"))
		session.Finalizers = []string{v1alpha1.Finalizer}
		joins := waits
		joins.says = "use mode: PodCopy, which copies its pod template"
		joins.check(t, pass(t, about(session, candidates())))
	})
	t.Run("of which there is a pod is copied by that", func(t *testing.T) {
		p := pass(t, about(copyOfWorkload(), candidates(*fixture.Pod())))
		if got := p.Status.Target; got == nil || got.PodName != "web" || got.WorkloadUID != "" {
			t.Errorf("chose %+v", got)
		}
	})
}

// A refusal names what was asked for: there is no pod.
func TestARefusalOfATemplateNamesItsWorkload(t *testing.T) {
	for name, tc := range map[string]struct {
		change fixture.SessionOption
		class  plan.Observed[*v1alpha1.DebugClass]
		says   string
	}{
		"for its labels": {
			class: plan.Found(fixture.Class(func(c *v1alpha1.DebugClassSpec) {
				c.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}
			})),
			says: `cannot be used for Deployment "web": its podSelector is app=shop`,
		},
		"for its containers": {
			change: func(s *v1alpha1.DebugSession) { s.Spec.Target.Container = "db" },
			class:  plan.Found(allowing),
			says:   `spec.target.container: Deployment "web" has no container "db"`,
		},
		"for its volumes": {
			change: func(s *v1alpha1.DebugSession) {
				s.Spec.Debugger.VolumeMounts = []corev1.VolumeMount{{Name: "logs", MountPath: "/mnt"}}
			},
			class: plan.Found(allowing),
			says:  `spec.debugger.volumeMounts[0].name: Deployment "web" has no volume "logs"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			session := copyOfTemplate(t)
			if tc.change != nil {
				tc.change(session)
			}
			p := pass(t, about(session, template(workloadUID, true), func(v *view) { v.class = &tc.class }))
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, says: tc.says, warns: "Rejected"}.check(t, p)
		})
	}
}

func TestACopyOfATemplate(t *testing.T) {
	chosen := copyOfTemplate(t)
	p := pass(t, about(chosen, template(workloadUID, false))) // there are pods by now: the choice stands
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	admitted := written(chosen, p)
	if got := admitted.Status.Target; got.Name != "deployment/web" || got.WorkloadUID != workloadUID || got.PodUID != "" || got.Choice == "" {
		t.Errorf("recorded target %+v", got)
	}

	gone := func(says string) want {
		return want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTargetGone, says: says, warns: "TargetGone"}
	}
	for name, tc := range map[string]struct {
		template plan.Observed[*debugpod.Template]
		want     want
	}{
		"is not of another workload": {plan.Found(templateOf("another", true)), gone("was replaced")},
		"is not of one that is gone": {plan.Absent[*debugpod.Template](), gone(`Deployment "web" is gone; nothing was created`)},
		"is not of the unreadable":   {plan.Found(&debugpod.Template{}), gone("has no pod template any more")},
		"is not of the unknown": {plan.Unknown[*debugpod.Template](errOffline),
			want{phase: v1alpha1.PhasePending, reason: "Unreadable", warns: "Unreadable", retries: true}},
	} {
		t.Run(name+", before it is admitted", func(t *testing.T) {
			tc.want.check(t, pass(t, about(chosen, templateIs(tc.template))))
		})
	}
	for name, tc := range map[string]struct {
		template plan.Observed[*debugpod.Template]
		want     want
	}{
		"is made":                    {plan.Found(templateOf(workloadUID, true)), want{phase: v1alpha1.PhaseStarting, does: "CreatePod"}},
		"is not of another workload": {plan.Found(templateOf("another", true)), want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone}},
		"is not of one that is gone": {plan.Absent[*debugpod.Template](), want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone}},
		"is not of the unknown":      {plan.Unknown[*debugpod.Template](errOffline), want{phase: v1alpha1.PhaseStarting, retries: true}},
	} {
		t.Run(name+", when it starts", func(t *testing.T) {
			tc.want.check(t, pass(t, about(admitted, copyIs(absent()), templateIs(tc.template))))
		})
	}

	t.Run("has what every copy has", func(t *testing.T) {
		p := pass(t, about(admitted, copyIs(absent()), template(workloadUID, true)))
		made := p.Actions[0].(plan.CreatePod).Pod
		if len(made.Labels) != 1 || made.Labels[v1alpha1.LabelSessionUID] != string(admitted.UID) || len(made.OwnerReferences) != 1 ||
			made.OwnerReferences[0].UID != admitted.UID || made.Spec.ActiveDeadlineSeconds == nil {
			t.Errorf("made %+v", made)
		}
		if made.Name != debugpod.CopyName("web", admitted.UID) || made.Namespace != fixture.Namespace {
			t.Errorf("it is called %s/%s", made.Namespace, made.Name)
		}
	})
	t.Run("ends, also when its workload is gone", func(t *testing.T) {
		p := pass(t, about(admitted, copyIs(absent()), template(workloadUID, true)))
		made := p.Actions[0].(plan.CreatePod).Pod.DeepCopy()
		made.UID, made.Status.Phase = "uid-of-made", corev1.PodRunning
		fixture.ContainerState(admitted.Status.Debugger.ContainerName, fixture.Running(now))(made)
		p = pass(t, about(admitted, copied(made)))
		want{phase: v1alpha1.PhaseActive, does: "GrantAccess"}.check(t, p)
		over := ending(t, written(admitted, p))
		want{phase: v1alpha1.PhaseEnding, does: "DeletePod"}.check(t, pass(t, about(over, copied(made))))
	})
	for field, change := range map[string]func(*v1alpha1.PodCopy){
		"replaceOriginal": func(c *v1alpha1.PodCopy) { c.ReplaceOriginal = v1alpha1.ReplaceAlways },
		"sameNode":        func(c *v1alpha1.PodCopy) { c.SameNode = true },
	} {
		t.Run("has no "+field, func(t *testing.T) {
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "Invalid", says: "spec.podCopy." + field + `: Deployment "web" has no pod`,
				warns: "Rejected"}.check(t, pass(t, about(copyOfTemplate(t, change), template(workloadUID, true))))
		})
	}
	t.Run("is for the templates that its class selects", func(t *testing.T) {
		class := fixture.Class(func(c *v1alpha1.DebugClassSpec) {
			c.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}
		})
		p := pass(t, about(chosen, template(workloadUID, true), func(v *view) { v.class = new(plan.Found(class)) }))
		want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: v1alpha1.ReasonClassForbids, warns: "Rejected"}.check(t, p)
	})
}

// What was approved is a template, and an edit of it is something else.
func TestAnApprovedTemplate(t *testing.T) {
	needs := func(v *view) { v.class = new(plan.Found(fixture.Class(fixture.Approvals(1)))) }
	chosen := copyOfTemplate(t)
	p := pass(t, about(chosen, template(workloadUID, true), needs))
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)
	waiting := written(chosen, p)
	approve := func(v *view) {
		v.approvals = new(plan.Found([]approval.Approval{saidBy(waiting, "bob", v1alpha1.DecisionApprove)}))
	}
	want{phase: v1alpha1.PhaseStarting}.check(t, pass(t, about(waiting, template(workloadUID, true), needs, approve)))

	edited := templateOf(workloadUID, true)
	edited.Pod.Spec.Containers[0].Image = "web:2"
	p = pass(t, about(waiting, templateIs(plan.Found(edited)), needs, approve))
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: v1alpha1.ReasonTargetChanged,
		says: `Deployment "web" or the operator has changed since`, warns: "Rejected"}.check(t, p)
}
