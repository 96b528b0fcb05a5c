package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

// A script that reads a list reads the same shape however many objects there are.
func TestListsAreLists(t *testing.T) {
	for _, names := range [][]string{{}, {"a"}, {"a", "b"}} {
		objects := make([]runtime.Object, len(names))
		for i, name := range names {
			objects[i] = &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
		}
		for _, format := range []string{"json", "yaml", "name"} {
			o := addOutput(&cobra.Command{}, true)
			o.format = format
			var out bytes.Buffer
			if err := o.printList(&out, "DebugClass", objects); err != nil {
				t.Fatal(err)
			}
			if format == "name" {
				if got, want := strings.Count(out.String(), "debugclass.debugsession.dev/"), len(names); got != want {
					t.Errorf("%d names, want %d: %s", got, want, out.String())
				}
				continue
			}
			var list struct {
				Kind  string
				Items []struct {
					Kind     string
					Metadata struct{ Name string }
				}
			}
			text := out.Bytes()
			if format == "yaml" {
				var err error
				if text, err = yaml.YAMLToJSONStrict(text); err != nil {
					t.Fatal(err)
				}
			}
			if err := json.Unmarshal(text, &list); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			if list.Kind != "List" || list.Items == nil || len(list.Items) != len(names) {
				t.Errorf("%d objects as %s:\n%s", len(names), format, text)
			}
			for i := range list.Items {
				if list.Items[i].Kind != "DebugClass" || list.Items[i].Metadata.Name != names[i] {
					t.Errorf("%d objects as %s:\n%s", len(names), format, text)
				}
			}
		}
	}
}

func TestTableFitsItsTerminal(t *testing.T) {
	lines := func() [][]string {
		return [][]string{
			{"NAMESPACE", "NAME", "TARGET", "PHASE", "WHY", "LEFT", "REQUESTER", "AGE"},
			{"shop", "alice-checkout-261128-043323", "checkout-77fb487ff8-r8m8b", "AwaitingApproval",
				"1 approval from someone allowed to approve class production", "", "alice", "6s"},
		}
	}
	for _, room := range []int{0, 60, 80, 100, 120, 300} {
		all := fit(lines(), room)
		var out bytes.Buffer
		if err := table(&out, all[0], all[1:]); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "alice-checkout-261128-043323") {
			t.Errorf("in %d columns the name is cut:\n%s", room, out.String())
		}
		if all := strings.Contains(out.String(), "REQUESTER"); all != (room != 60 && room != 80) {
			t.Errorf("in %d columns:\n%s", room, out.String())
		}
		if whole := strings.Contains(out.String(), "class production"); whole != (room == 0 || room == 300) {
			t.Errorf("in %d columns:\n%s", room, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if width := utf8.RuneCountInString(strings.TrimRight(line, " \n")); room > 0 && width > room {
				t.Errorf("in %d columns a line has %d:\n%s", room, width, out.String())
			}
		}
	}
}
