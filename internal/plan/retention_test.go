package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// over is a session that ended at now, of a class that keeps records for a day.
func over(t *testing.T, changes ...fixture.SessionOption) *v1alpha1.DebugSession {
	t.Helper()
	session, _ := active(t)
	session = ending(t, session)
	session = written(session, pass(t, about(session, targetIs(absent()))), changes...)
	session.Finalizers = nil
	session.Status.Class.Retention = &v1alpha1.Duration{Duration: 24 * time.Hour}
	return session
}

func annotated(key string) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) { s.Annotations = map[string]string{key: "x"} }
}

func labelled(key string) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) { s.Labels = map[string]string{key: "x"} }
}

// What a tool applied it would apply again: a record that was deleted would be a session that starts anew.
func TestRetention(t *testing.T) {
	due := after(24 * time.Hour)
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		at      time.Time
		deletes bool
		wakes   time.Time
	}{
		"kept":                       {over(t), due.Add(-time.Second), false, due},
		"due":                        {over(t), due, true, time.Time{}},
		"with a label of its own":    {over(t, labelled("team")), due, true, time.Time{}},
		"applied by kubectl":         {over(t, annotated("kubectl.kubernetes.io/last-applied-configuration")), due, true, time.Time{}},
		"being deleted":              {over(t, fixture.Deleted), due, false, time.Time{}},
		"Argo CD's":                  {over(t, annotated("argocd.argoproj.io/tracking-id")), due, false, time.Time{}},
		"Argo CD's, by label":        {over(t, labelled("argocd.argoproj.io/instance")), due, false, time.Time{}},
		"Argo CD's, by the old one":  {over(t, labelled("app.kubernetes.io/instance")), due, false, time.Time{}},
		"a Flux Kustomization's":     {over(t, labelled("kustomize.toolkit.fluxcd.io/name")), due, false, time.Time{}},
		"a Flux HelmRelease's":       {over(t, labelled("helm.toolkit.fluxcd.io/name")), due, false, time.Time{}},
		"Helm's":                     {over(t, annotated("meta.helm.sh/release-name")), due, false, time.Time{}},
		"of a kubectl apply --prune": {over(t, labelled("applyset.kubernetes.io/part-of")), due, false, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := plan.Snapshot{Session: tc.session, Now: tc.at}
			p := plan.Decide(s) // not pass: that an ended session does nothing is a law of all that keep their record
			if p.Ask != nil || !p.WakeAt.Equal(tc.wakes) || len(p.Events) > 0 {
				t.Errorf("asks %T, wakes at %s, tells %v; want to be woken at %s", p.Ask, p.WakeAt, p.Events, tc.wakes)
			}
			deletes := does(p) == "DeleteSession"
			if deletes != tc.deletes || !deletes && len(p.Actions) > 0 {
				t.Errorf("does %q, want it deleted: %t", does(p), tc.deletes)
			}
			if deletes && p.Actions[0].(plan.DeleteSession).UID != tc.session.UID {
				t.Errorf("deletes another session than its own: %+v", p.Actions[0])
			}
		})
	}
}

func TestRecordsWithoutRetentionAreKept(t *testing.T) {
	session := over(t)
	session.Status.Class.Retention = nil
	p := pass(t, about(session, at(after(100000*time.Hour)), silent))
	want{phase: v1alpha1.PhaseEnded}.check(t, p)
	quiet(t, session, p)
}

// A session that was never granted anything has a record like any other, and would be kept for ever.
func TestRetentionBeforeTheClassIsRecorded(t *testing.T) {
	day := &metav1.Duration{Duration: 24 * time.Hour}
	keeps := func(c *v1alpha1.DebugClassSpec) { c.Retention = day }
	of := func(class plan.Observed[*v1alpha1.DebugClass]) look { return func(v *view) { v.class = &class } }
	due, month := after(24*time.Hour), after(30*24*time.Hour)
	for name, tc := range map[string]struct {
		class   plan.Observed[*v1alpha1.DebugClass]
		change  fixture.SessionOption
		at      time.Time
		does    string
		wakes   time.Time
		retries bool
	}{
		"kept as its class says":        {class: plan.Found(fixture.Class(keeps)), at: due.Add(-time.Second), wakes: due},
		"due as its class says":         {class: plan.Found(fixture.Class(keeps)), at: due, does: "DeleteSession"},
		"kept for ever by its class":    {class: plan.Found(fixture.Class()), at: month},
		"kept for a while if none is":   {class: plan.Absent[*v1alpha1.DebugClass](), at: due, wakes: month},
		"due if there is no class":      {class: plan.Absent[*v1alpha1.DebugClass](), at: month, does: "DeleteSession"},
		"kept while that is not known":  {class: plan.Unknown[*v1alpha1.DebugClass](errOffline), at: month, retries: true},
		"kept for who applies it again": {class: plan.Absent[*v1alpha1.DebugClass](), change: annotated("argocd.argoproj.io/tracking-id"), at: month},
	} {
		t.Run(name, func(t *testing.T) {
			refused := plan.Found(&plan.Refusal{Reason: v1alpha1.ReasonNotTrusted, Message: "nobody stamped it"})
			session := fixture.Session()
			session = written(session, pass(t, about(session, func(v *view) { v.trusted = &refused })))
			if session.Status.Phase != v1alpha1.PhaseEnded || session.Status.Class != nil {
				t.Fatalf("is %s, of class %v", session.Status.Phase, session.Status.Class)
			}
			if tc.change != nil {
				tc.change(session)
			}
			_, p := about(session, at(tc.at), of(tc.class)).decide(t) // not pass, as in TestRetention
			if does(p) != tc.does || !p.WakeAt.Equal(tc.wakes) || (p.Retry != nil) != tc.retries {
				t.Errorf("does %q, wakes at %s, retries %v; want %q at %s", does(p), p.WakeAt, p.Retry, tc.does, tc.wakes)
			}
		})
	}
}
