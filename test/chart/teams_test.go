package chart

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A team of the values has what config/starter gives it, in each of its namespaces.
func TestTeamsAreThoseOfTheStarterKit(t *testing.T) {
	roles := file(t, "config", "starter", "roles.yaml")
	have := release{values: `{teams: [{name: a, namespaces: [team-a-dev, team-a], users: [team-a-users], approvers: [team-a-approvers, leads],
		classes: [dev, production], onCall: [team-a-on-call], emergencyClasses: [breakglass]}]}`}.render(t)
	none := release{}.render(t)
	want := []string{}
	for _, role := range []string{"user", "approver", "on-call"} {
		name := "debugsession-team-a-" + role
		want = append(want, "ClusterRole /"+name, "RoleBinding team-a/"+name, "RoleBinding team-a-dev/"+name)
		kit := roles.at(t, "ClusterRole /debugsession-team-"+role, "rules")
		if diff := cmp.Diff(kit, have.at(t, "ClusterRole /"+name, "rules")); diff != "" {
			t.Errorf("%s (-config/starter +chart)\n%s", name, diff)
		}
	}
	added := slices.DeleteFunc(slices.Sorted(maps.Keys(have)), func(key string) bool { return none[key] != nil })
	slices.Sort(want)
	if diff := cmp.Diff(want, added); diff != "" {
		t.Errorf("the value adds (-want +have)\n%s", diff)
	}
	const binding = "RoleBinding team-a-dev/debugsession-team-a-approver"
	if role := have.at(t, binding, "roleRef", "name"); role != "debugsession-team-a-approver" {
		t.Errorf("the approvers are bound to %v", role)
	}
	var groups []string
	for _, subject := range have.at(t, binding, "subjects").([]any) {
		groups = append(groups, subject.(map[string]any)["name"].(string))
	}
	if !slices.Equal(groups, []string{"team-a-approvers", "leads"}) {
		t.Errorf("the approvers are %v", groups)
	}
}

// A team without people on call has no role for them; one with a namespace's name that cannot be, or with half of what is needed, is refused.
func TestTeamsAreComplete(t *testing.T) {
	const team = `{name: a, namespaces: [x], users: [u], approvers: [v], classes: [dev]`
	have := release{values: `{teams: [` + team + `}]}`}.render(t)
	if have["ClusterRole /debugsession-team-a-on-call"] != nil || have["ClusterRole /debugsession-team-a-user"] == nil {
		t.Error("there is a role for people on call, or none for users")
	}
	for _, wrong := range []string{
		team + `, onCall: [w]}`, team + `, emergencyClasses: [breakglass]}`, team + `, leads: [v]}`,
		`{name: a, namespaces: [], users: [u], approvers: [v], classes: [dev]}`, `{name: a, namespaces: [X], users: [u], approvers: [v], classes: [dev]}`,
	} {
		if _, err := (release{values: `{teams: [` + wrong + `]}`}).try(); err == nil {
			t.Errorf("accepted: %s", wrong)
		}
	}
}
