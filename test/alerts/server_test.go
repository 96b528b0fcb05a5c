package alerts

import (
	"encoding/json"
	"math"
	"regexp"
	"testing"
	"time"
)

// All that a test has no time for is shortened, and nothing else is another.
func TestRulesAreHastened(t *testing.T) {
	rules, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	as := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := as(rules)
	after := as(Hastened(rules))
	window, waits := regexp.MustCompile(`\[\w+\]`), regexp.MustCompile(`"for":"\w+"`)
	for _, found := range append(window.FindAllString(after, -1), waits.FindAllString(after, -1)...) {
		if found != "[20s]" && found != `"for":"1s"` {
			t.Errorf("%s is left", found)
		}
	}
	blank := func(text string) string { return waits.ReplaceAllString(window.ReplaceAllString(text, ""), "") }
	if before == after || blank(before) != blank(after) {
		t.Errorf("the rules\n%s\nhave become\n%s", before, after)
	}
}

func TestPointsAreRead(t *testing.T) {
	var points []Point
	if err := json.Unmarshal([]byte(`[[1767225600.25,"1.5"],[1767225601,"NaN"]]`), &points); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 250e6, time.UTC)
	if len(points) != 2 || !points[0].At.Equal(at) || points[0].Value != 1.5 || !math.IsNaN(points[1].Value) {
		t.Errorf("read %v", points)
	}
}
