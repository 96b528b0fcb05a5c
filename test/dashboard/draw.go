// Package dashboard draws the panels of config/grafana/dashboard.json from what a Prometheus has answered: `make dashboard-picture`. The same
// answers give the same bytes.
package dashboard

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"debugsession.dev/operator/test/alerts"
)

// Answer is what Prometheus has said to one target of a panel.
type Answer struct {
	Legend string // as the dashboard has it: {{label}} stands for a label's value
	Lines  []alerts.Line
}

// Drawn is a panel with the answers to its targets, in their order.
type Drawn struct {
	alerts.Panel
	Answers []Answer
}

const (
	width, columns = 1000, 24
	gridHeight     = 20 // of one unit of Grafana's
	margin, gap    = 12, 6
	headHeight     = 40
	footHeight     = 26
	titleHeight    = 22
	titleLetter    = 7.2 // its mean width
	legendHeight   = 13
	legendRows     = 2
	axisWidth      = 42
	charWidth      = 5.4 // of the small font
)

var palette = []string{"#3871c9", "#e0752d", "#3f8f3a", "#8f4bb8", "#c4313f", "#b08a10", "#1d8a99", "#77685a"}

const style = `<style>text{font:10px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#555}` +
	`.t{font-size:11.5px;font-weight:600;fill:#222}.r{font-size:13px;font-weight:600;fill:#111}.h{font-size:18px;font-weight:600;fill:#111}` +
	`.v{font-size:26px;font-weight:600}.p{fill:#fff;stroke:#dde1e6}.g{stroke:#eceff2}.l{fill:none;stroke-width:1.4;stroke-linejoin:round}</style>`

// SVG is the dashboard from one time to another.
func SVG(panels []Drawn, from, to time.Time) string {
	bottom := 0
	for i := range panels {
		bottom = max(bottom, panels[i].GridPos.Y+panels[i].GridPos.H)
	}
	height := headHeight + bottom*gridHeight + footHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="The panels of the DebugSession dashboard">`+"\n%s\n",
		width, height, style)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" rx=\"6\" fill=\"#f5f6f8\"/>\n", width, height)
	fmt.Fprintf(&b, "<text class=\"h\" x=\"%d\" y=\"27\">DebugSession</text>\n", margin)
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"26\" text-anchor=\"end\">%s minutes</text>\n", width-margin, number(to.Sub(from).Minutes()))
	for i := range panels {
		panels[i].draw(&b, from, to)
	}
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">Drawn from the queries of config/grafana/dashboard.json, not by Grafana: make dashboard-picture</text>\n", margin, height-10)
	b.WriteString("</svg>\n")
	return b.String()
}

// box is a part of the picture.
type box struct{ x, y, w, h float64 }

func (p *Drawn) place() box {
	column := float64(width-2*margin+gap) / columns
	return box{
		x: margin + float64(p.GridPos.X)*column, y: float64(headHeight + p.GridPos.Y*gridHeight),
		w: float64(p.GridPos.W)*column - gap, h: float64(p.GridPos.H*gridHeight - gap),
	}
}

func (p *Drawn) draw(b *strings.Builder, from, to time.Time) {
	at := p.place()
	if p.Type == "row" {
		fmt.Fprintf(b, "<text class=\"r\" x=\"%s\" y=\"%s\">%s</text>\n", px(at.x), px(at.y+at.h-2), html.EscapeString(p.Title))
		return
	}
	fmt.Fprintf(b, "<rect class=\"p\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" rx=\"3\"/>\n", px(at.x), px(at.y), px(at.w), px(at.h))
	fmt.Fprintf(b, "<text class=\"t\" x=\"%s\" y=\"%s\"%s>%s</text>\n", px(at.x+8), px(at.y+15), narrowed(p.Title, at.w-16), html.EscapeString(p.Title))
	if p.Type == "stat" {
		p.drawNumber(b, at, from, to)
		return
	}
	p.drawLines(b, at, from, to)
}

// narrowed has a title that would not fit take the width that there is.
func narrowed(title string, width float64) string {
	if float64(len(title))*titleLetter <= width {
		return ""
	}
	return fmt.Sprintf(" textLength=%q lengthAdjust=\"spacingAndGlyphs\"", px(width))
}

// drawNumber shows the last value, and behind it how it came to be so.
func (p *Drawn) drawNumber(b *strings.Builder, at box, from, to time.Time) {
	value, series := 0.0, p.series()
	if len(series) > 0 {
		value = last(series[0].points)
	}
	color := p.color(value)
	if len(series) > 0 {
		plot := box{at.x + 1, at.y + at.h*0.55, at.w - 2, at.h*0.45 - 1}
		scale := scale{plot, from, to, highest(series)}
		for _, run := range scale.runs(series[0].points) {
			bottom := px(plot.y + plot.h)
			fmt.Fprintf(b, "<path fill=%q fill-opacity=\".15\" d=\"M%s %s%sV%sZ\"/>\n", color, px(run[0].x), bottom, path(run, "L"), bottom)
		}
	}
	fmt.Fprintf(b, "<text class=\"v\" x=\"%s\" y=\"%s\" fill=%q style=\"fill:%s\">%s</text>\n", px(at.x+8), px(at.y+at.h-14), color, color, show(value, p.FieldConfig.Defaults.Unit))
}

// color is that of the highest threshold that a value has reached.
func (p *Drawn) color(value float64) string {
	color := "green"
	for _, step := range p.FieldConfig.Defaults.Thresholds.Steps {
		if step.Value == nil || value >= *step.Value {
			color = step.Color
		}
	}
	return map[string]string{"green": "#2f8a3c", "red": "#c4313f"}[color]
}

func (p *Drawn) drawLines(b *strings.Builder, at box, from, to time.Time) {
	series := p.series()
	top := ceiling(highest(series))
	plot := box{at.x + axisWidth, at.y + titleHeight + 4, at.w - axisWidth - 10, at.h - titleHeight - 4 - 16 - legendRows*legendHeight}
	for i := range 3 {
		y := plot.y + plot.h*float64(2-i)/2
		fmt.Fprintf(b, "<path class=\"g\" d=\"M%s %sh%s\"/><text x=\"%s\" y=\"%s\" text-anchor=\"end\">%s</text>\n",
			px(plot.x), px(y), px(plot.w), px(plot.x-5), px(y+3.5), show(top*float64(i)/2, p.FieldConfig.Defaults.Unit))
	}
	for i := range 3 {
		anchor := []string{"start", "middle", "end"}[i]
		when := from.Add(to.Sub(from) * time.Duration(i) / 2)
		fmt.Fprintf(b, "<text x=\"%s\" y=\"%s\" text-anchor=%q>%s</text>\n", px(plot.x+plot.w*float64(i)/2), px(plot.y+plot.h+11), anchor, when.Format("15:04"))
	}
	scale := scale{plot, from, to, top}
	for i, line := range series {
		var d strings.Builder
		for _, run := range scale.runs(line.points) {
			d.WriteString(path(run, "M"))
		}
		fmt.Fprintf(b, "<path class=\"l\" stroke=%q d=%q/>\n", palette[i%len(palette)], d.String())
	}
	drawLegend(b, series, box{at.x + 8, at.y + at.h - legendRows*legendHeight - 1, at.w - 16, 0})
}

// drawLegend names as many of the series as there is place for.
func drawLegend(b *strings.Builder, series []series, at box) {
	x, row := at.x, 0
	for i, line := range series {
		wide := 12 + charWidth*float64(len([]rune(line.name))) + 10
		rest := fmt.Sprintf("+%d", len(series)-i)
		reserve := 0.0
		if row == legendRows-1 && i < len(series)-1 {
			reserve = charWidth * float64(len(rest)+1)
		}
		if x > at.x && x+wide-10+reserve > at.x+at.w {
			row++
			if row == legendRows {
				fmt.Fprintf(b, "<text x=\"%s\" y=\"%s\">%s</text>\n", px(x), px(at.y+float64(row)*legendHeight-4), rest)
				return
			}
			x = at.x
		}
		y := at.y + float64(row+1)*legendHeight - 4
		fmt.Fprintf(b, "<path stroke=%q stroke-width=\"2.5\" d=\"M%s %sh8\"/><text x=\"%s\" y=\"%s\">%s</text>\n",
			palette[i%len(palette)], px(x), px(y-3.5), px(x+12), px(y), html.EscapeString(line.name))
		x += wide
	}
}

// series is a line with its name.
type series struct {
	name   string
	points []alerts.Point
}

// series are those that have a value, the highest first: those that the legend has no place for are the least.
func (p *Drawn) series() []series {
	var all []series
	for _, answer := range p.Answers {
		for _, line := range answer.Lines {
			if points := slices.DeleteFunc(slices.Clone(line.Points), func(p alerts.Point) bool { return math.IsNaN(p.Value) }); len(points) > 0 {
				all = append(all, series{legend(answer.Legend, line.Labels), points})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b series) int {
		return cmp.Or(cmp.Compare(highest([]series{b}), highest([]series{a})), strings.Compare(a.name, b.name))
	})
	return all
}

var label = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

func legend(format string, labels map[string]string) string {
	return label.ReplaceAllStringFunc(format, func(found string) string { return labels[label.FindStringSubmatch(found)[1]] })
}

func last(points []alerts.Point) float64 { return points[len(points)-1].Value }

func highest(all []series) float64 {
	top := 0.0
	for _, line := range all {
		for _, point := range line.points {
			top = max(top, point.Value)
		}
	}
	return top
}
