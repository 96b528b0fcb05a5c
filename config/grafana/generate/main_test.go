package main

import "testing"

// A panel that is too narrow shows nothing, and one that is too wide moves the others.
func TestRowsFillTheWidth(t *testing.T) {
	for _, row := range rows {
		each := width / len(row.panels)
		if each*len(row.panels) != width {
			t.Errorf("%s: its %d panels do not fill the %d columns", row.title, len(row.panels), width)
		}
		for _, panel := range row.panels {
			if panel.title == "" || len(panel.queries) == 0 || panel.number && len(panel.queries) != 1 || !panel.number && each < 6 {
				t.Errorf("%s: %+v", row.title, panel)
			}
		}
	}
}
