package dashboard

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"debugsession.dev/operator/test/alerts"
)

var noon = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

// points are ten seconds apart.
func points(values ...float64) []alerts.Point {
	var all []alerts.Point
	for i, v := range values {
		all = append(all, alerts.Point{At: noon.Add(time.Duration(i) * 10 * time.Second), Value: v})
	}
	return all
}

// whole is the dashboard as it is, of which each target was answered with two series.
func whole(t *testing.T) []Drawn {
	t.Helper()
	panels, err := alerts.Panels()
	if err != nil {
		t.Fatal(err)
	}
	var all []Drawn
	for _, panel := range panels {
		drawn := Drawn{Panel: panel}
		for _, target := range panel.Targets {
			drawn.Answers = append(drawn.Answers, Answer{target.LegendFormat, []alerts.Line{
				{Labels: map[string]string{"phase": "<Active>"}, Points: points(1, 2, math.NaN(), 4)}, {Points: points(0, 0, 0, 0)},
			}})
		}
		all = append(all, drawn)
	}
	return all
}

func TestTheWholeDashboardIsDrawn(t *testing.T) {
	panels := whole(t)
	picture := SVG(panels, noon, noon.Add(30*time.Second))
	for _, panel := range panels {
		if !strings.Contains(picture, ">"+panel.Title+"</text>") {
			t.Errorf("there is no %q", panel.Title)
		}
	}
	for _, want := range []string{"&lt;Active&gt;", "12:00", "not by Grafana"} {
		if !strings.Contains(picture, want) {
			t.Errorf("there is no %q", want)
		}
	}
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if picture != SVG(whole(t), noon, noon.Add(30*time.Second)) {
		t.Error("the same answers are drawn in two ways")
	}
}

// Nothing of a panel is outside of it, nor over another.
func TestPanelsHaveTheirPlaces(t *testing.T) {
	panels := whole(t)
	for i := range panels {
		a := panels[i].place()
		if a.x < margin || a.x+a.w > width-margin || a.y < headHeight {
			t.Errorf("%s is at %v", panels[i].Title, a)
		}
		for j := range panels[:i] {
			if b := panels[j].place(); a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
				t.Errorf("%s is over %s", panels[i].Title, panels[j].Title)
			}
		}
	}
}

func TestALineHasAGapWhereNothingIsKnown(t *testing.T) {
	all := points(1, 1, 1, 2, 3, 3)
	all = append(all[:3], all[4:]...)
	s := scale{box{0, 0, 50, 30}, noon, noon.Add(50 * time.Second), 3}
	runs := s.runs(all)
	if len(runs) != 2 || path(runs[0], "M") != "M0 20 20 20" || path(runs[1], "M") != "M40 0 50 0" {
		t.Errorf("drawn as %v", runs)
	}
}

func TestLegendsHaveTheValuesOfLabels(t *testing.T) {
	labels := map[string]string{"sink": "chat", "result": "failed"}
	for format, want := range map[string]string{"{{sink}} {{result}}": "chat failed", "p50 {{mode}}": "p50 ", "": ""} {
		if have := legend(format, labels); have != want {
			t.Errorf("%q is %q, want %q", format, have, want)
		}
	}
}

func TestALegendThatIsTooLongSaysSo(t *testing.T) {
	var b strings.Builder
	var all []series
	for range 9 {
		all = append(all, series{name: "/validate/debugsessions"})
	}
	drawLegend(&b, all, box{0, 0, 220, 0})
	if strings.Count(b.String(), "/validate/debugsessions") != legendRows || !strings.Contains(b.String(), ">+7<") {
		t.Errorf("drawn as %s", b.String())
	}
}

func TestNumberIsThatOfNow(t *testing.T) {
	drawn := whole(t)[1]
	sixty := 60.0
	drawn.FieldConfig.Defaults.Thresholds.Steps[1].Value = &sixty
	for value, color := range map[float64]string{59: "#2f8a3c", 60: "#c4313f"} {
		if have := drawn.color(value); have != color {
			t.Errorf("%v is %s, want %s", value, have, color)
		}
	}
	drawn.Answers = nil
	var b strings.Builder
	drawn.draw(&b, noon, noon.Add(time.Minute))
	if !strings.Contains(b.String(), ">0 s</text>") {
		t.Errorf("without an answer: %s", b.String())
	}
}

func TestValuesAreShownWithTheirUnit(t *testing.T) {
	for _, tc := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "s", "0 s"}, {0.0000123, "s", "12.3 µs"}, {0.25, "s", "250 ms"}, {90, "s", "90 s"}, {660, "s", "11 min"},
		{12, "short", "12"}, {0.333333, "ops", "0.333/s"}, {96 << 20, "bytes", "96 MiB"}, {1234, "short", "1234"},
	} {
		if have := show(tc.value, tc.unit); have != tc.want {
			t.Errorf("%v %s is shown as %q, want %q", tc.value, tc.unit, have, tc.want)
		}
	}
}

func TestAxesEndWithARoundNumber(t *testing.T) {
	for value, want := range map[float64]float64{0: 1, 1: 1, 7: 8, 9.5: 10, 0.31: 0.4, 1500: 2000} {
		if have := ceiling(value); math.Abs(have-want) > 1e-9 {
			t.Errorf("of %v it is %v, want %v", value, have, want)
		}
	}
}
