package command

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTableFitsItsTerminal(t *testing.T) {
	lines := func() [][]string {
		return [][]string{
			{"NAMESPACE", "NAME", "TARGET", "PHASE", "WHY", "LEFT", "REQUESTER", "AGE"},
			{"shop", "alice-checkout-261128-043323", "checkout-77fb487ff8-r8m8b", "AwaitingApproval", "1 approval from someone allowed to approve class production", "", "alice", "6s"},
		}
	}
	for _, room := range []int{0, 60, 100, 120, 300} {
		all := lines()
		narrow(all, room)
		var out bytes.Buffer
		if err := table(&out, all[0], all[1:]); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "alice-checkout-261128-043323") {
			t.Errorf("in %d columns the name is cut:\n%s", room, out.String())
		}
		if whole := strings.Contains(out.String(), "class production"); whole != (room == 0 || room == 300) {
			t.Errorf("in %d columns:\n%s", room, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if width := utf8.RuneCountInString(strings.TrimRight(line, " \n")); room >= 100 && width > room {
				t.Errorf("in %d columns a line has %d:\n%s", room, width, out.String())
			}
		}
	}
}
