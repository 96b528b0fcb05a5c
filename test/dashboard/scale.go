package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"debugsession.dev/operator/test/alerts"
)

// spot is a place in the picture.
type spot struct{ x, y float64 }

// scale has a value of a time be at a spot.
type scale struct {
	plot     box
	from, to time.Time
	top      float64
}

func (s scale) at(p alerts.Point) spot {
	y := 0.0
	if s.top > 0 {
		y = p.Value / s.top
	}
	return spot{s.plot.x + s.plot.w*float64(p.At.Sub(s.from))/float64(s.to.Sub(s.from)), s.plot.y + s.plot.h*(1-y)}
}

// runs are the spots of points that follow each other: where Prometheus had none for longer than usual, a line has a gap. What lies between
// two that are as high is left out.
func (s scale) runs(points []alerts.Point) [][]spot {
	usual := time.Duration(math.MaxInt64)
	for i := 1; i < len(points); i++ {
		usual = min(usual, points[i].At.Sub(points[i-1].At))
	}
	var runs [][]spot
	for i, point := range points {
		if i == 0 || point.At.Sub(points[i-1].At) > usual*3/2 {
			runs = append(runs, nil)
		}
		run := &runs[len(runs)-1]
		n := len(*run)
		next := s.at(point)
		if n >= 2 && (*run)[n-1].y == next.y && (*run)[n-2].y == next.y {
			(*run)[n-1] = next
			continue
		}
		*run = append(*run, next)
	}
	return runs
}

// path is a line through the spots, which it comes to as begin says: M or L.
func path(run []spot, begin string) string {
	var b strings.Builder
	for i, s := range run {
		command := " "
		if i == 0 {
			command = begin
		}
		fmt.Fprintf(&b, "%s%s %s", command, px(s.x), px(s.y))
	}
	if len(run) == 1 {
		b.WriteString("h1")
	}
	return b.String()
}

// px is a length as short as can be.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// ceiling is the next number that an axis looks well with.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 3, 4, 5, 6, 8} {
		if v <= step*power*(1+1e-9) {
			return step * power
		}
	}
	return 10 * power
}

// show is a value in Grafana's unit.
func show(v float64, unit string) string {
	switch unit {
	case "s":
		return duration(v)
	case "ops":
		return number(v) + "/s"
	case "bytes":
		return number(v/(1<<20)) + " MiB"
	default:
		return number(v)
	}
}

func duration(seconds float64) string {
	switch {
	case seconds == 0:
		return "0 s"
	case seconds < 1e-3:
		return number(seconds*1e6) + " µs"
	case seconds < 1:
		return number(seconds*1e3) + " ms"
	case seconds < 120:
		return number(seconds) + " s"
	default:
		return number(seconds/60) + " min"
	}
}

// number has three digits that count.
func number(v float64) string {
	digits := 2
	if v != 0 {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
