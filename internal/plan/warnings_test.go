package plan_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestBudgetsThatCountACopy(t *testing.T) {
	budget := func(name string, selector *metav1.LabelSelector) policyv1.PodDisruptionBudget {
		return policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: selector},
		}
	}
	web := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	all := plan.Found([]policyv1.PodDisruptionBudget{
		budget("web", web), budget("other", &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}), budget("none", nil),
		budget("broken", &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}}),
	})
	labels := func(c *v1alpha1.PodCopy) { c.Keep = []v1alpha1.Keep{v1alpha1.KeepLabels} }
	app := func(c *v1alpha1.PodCopy) { c.KeepLabels = []string{"app"} }
	for name, tc := range map[string]struct {
		copy    func(*v1alpha1.PodCopy)
		budgets *plan.Observed[[]policyv1.PodDisruptionBudget] // nil: nobody asks
		says    string
		event   string
	}{
		"of all labels":      {labels, &all, `PodDisruptionBudget "web" selects the copy`, v1alpha1.ReasonCountedByBudget},
		"of one label":       {app, &all, `PodDisruptionBudget "web" selects the copy`, v1alpha1.ReasonCountedByBudget},
		"of none":            {func(*v1alpha1.PodCopy) {}, nil, "", ""},
		"that are not there": {app, new(plan.Found[[]policyv1.PodDisruptionBudget](nil)), "", ""},
		"that nobody can read": {app, new(plan.Unknown[[]policyv1.PodDisruptionBudget](errOffline)),
			"cannot read the budgets", v1alpha1.ReasonCountedByBudget},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(fixture.AsCopy(tc.copy))
			session.Finalizers = []string{v1alpha1.Finalizer}
			v := about(session, target(fixture.Pod()))
			v.budgets = tc.budgets
			p := pass(t, v)
			want{phase: v1alpha1.PhaseStarting, warns: tc.event}.check(t, p)
			if got := strings.Join(p.Status.Warnings, "; "); !strings.Contains(got, tc.says) || (got == "") != (tc.says == "") ||
				strings.Contains(got, "other") {
				t.Errorf("warnings %q, want %q", got, tc.says)
			}
		})
	}
}

func TestACopyThatIsToldAnotherNameSaysSo(t *testing.T) {
	named := func(p *corev1.Pod) {
		p.Spec.Containers[0].Env = []corev1.EnvVar{
			{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
		}
	}
	warns := func(s string) bool { return strings.HasPrefix(s, "variable POD_NAME") }
	if p := first(t, fixture.Class(), fixture.Session(fixture.AsCopy()),
		fixture.Pod(named)); !slices.ContainsFunc(p.Status.Warnings, warns) {
		t.Errorf("warnings %v", p.Status.Warnings)
	}
	if p := first(t, fixture.Class(), fixture.Session(), fixture.Pod(named)); len(p.Status.Warnings) > 0 {
		t.Errorf("an ephemeral container has warnings %v", p.Status.Warnings)
	}
}
