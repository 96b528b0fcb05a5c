package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name, kubectl, ours string
		want                []string
	}{
		{"equal", `{"a": [{"name": "x", "b": 1}]}`, `{"a": [{"b": 1, "name": "x"}]}`, nil},
		{"a value", `{"a": {"b": 1}}`, `{"a": {"b": 2}}`, []string{"a.b: kubectl 1, ours 2"}},
		{"a whole field on one side", `{"a": {"b": {"c": 1}}}`, `{"a": {}}`, []string{`a.b: kubectl {"c":1}, ours none`}},
		{"members by name", `{"a": [{"name": "x", "b": 1}, {"name": "y"}]}`, `{"a": [{"name": "x", "b": 2}]}`,
			[]string{"a[x].b: kubectl 1, ours 2", `a[y]: kubectl {"name":"y"}, ours none`}},
		{"the order of members", `{"a": [{"name": "x"}, {"name": "y"}]}`, `{"a": [{"name": "y"}, {"name": "x"}]}`,
			[]string{`a (order): kubectl ["x","y"], ours ["y","x"]`}},
		{"no order of what one side lacks", `{"a": [{"name": "x"}, {"name": "y"}, {"name": "z"}]}`, `{"a": [{"name": "x"}, {"name": "z"}]}`,
			[]string{`a[y]: kubectl {"name":"y"}, ours none`}},
		{"a name that is there twice", `{"a": [{"name": "x"}, {"name": "x"}]}`, `{"a": [{"name": "x"}]}`,
			[]string{`a: kubectl [{"name":"x"},{"name":"x"}], ours [{"name":"x"}]`}},
		{"lists without names", `{"a": ["x", "y"]}`, `{"a": ["x"]}`, []string{`a: kubectl ["x","y"], ours ["x"]`}},
		{"another type", `{"a": ["x"]}`, `{"a": "x"}`, []string{`a: kubectl ["x"], ours "x"`}},
		{"false is not none", `{"a": false}`, `{}`, []string{"a: kubectl false, ours none"}},
	} {
		var kubectl, ours map[string]any
		if err := json.Unmarshal([]byte(test.kubectl), &kubectl); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(test.ours), &ours); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, found := range compare("", kubectl, ours) {
			got = append(got, found.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (- wanted, + found):\n%s", test.name, diff)
		}
	}
}

// Every divergence on the list must be one that a case shows: a list of what nobody sees only hides what is wrong.
func TestEveryDivergenceShowsInACase(t *testing.T) {
	list, err := loadDivergences()
	if err != nil {
		t.Fatal(err)
	}
	shapes, err := loadShapes("cases")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for i := range shapes {
		for j := range shapes[i].Cases {
			c := &shapes[i].Cases[j]
			if !c.declared && !c.BothRefuse {
				t.Errorf("case %s/%s does not say what is listed", shapes[i].Name, c.Name)
			}
			for _, name := range c.Listed {
				shown[name] = true
			}
		}
	}
	for i := range list {
		if !shown[list[i].Name] {
			t.Errorf("no case shows the divergence %s", list[i].Name)
		}
	}
}
