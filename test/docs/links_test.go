package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var (
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ +(.+?)#* *$`)
	linked      = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	pattern     = regexp.MustCompile("`[^`\n]*\\]\\([^`\n]*`") // a regular expression that looks like a link
	punctuation = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	tag         = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

// anchors are what a link to a page can end in.
func anchors(t *testing.T, page string) []string {
	t.Helper()
	text := prose(t, page)
	var all []string
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		name := anchor(linked.ReplaceAllString(found[1], "$1"))
		if slices.Contains(all, name) {
			name += "-1"
		}
		all = append(all, name)
	}
	for _, found := range tag.FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}
	return all
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	heading = strings.ToLower(strings.TrimSpace(heading))
	return punctuation.ReplaceAllString(strings.ReplaceAll(heading, " ", "-"), "")
}

// Every link to a file leads to one, and every anchor to a heading.
func TestLinks(t *testing.T) {
	checked, headings := 0, map[string][]string{}
	for _, page := range pages(t) {
		headings[page] = anchors(t, page)
	}
	for _, page := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(pattern.ReplaceAllString(prose(t, page), ""), -1) {
			target := found[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, section, _ := strings.Cut(target, "#")
			to := page
			if file != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
			}
			checked++
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: there is no such file", page, target)
			} else if section != "" && strings.HasSuffix(to, ".md") && !slices.Contains(headings[to], section) {
				t.Errorf("%s links to %s: that page has no such heading", page, target)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were found", checked)
	}
}

// The site has every page of docs, once, and docs/index.md leads to each.
func TestNavigation(t *testing.T) {
	var site struct {
		Nav []map[string]any `json:"nav"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, "mkdocs.yml")), &struct {
		SiteName      string            `json:"site_name"`
		DocsDirectory string            `json:"docs_dir"`
		SiteDirectory string            `json:"site_dir"`
		Theme         any               `json:"theme"`
		Plugins       []string          `json:"plugins"`
		Hooks         []string          `json:"hooks"`
		Nav           *[]map[string]any `json:"nav"`
	}{Nav: &site.Nav}); err != nil {
		t.Fatal(err)
	}
	var named []string
	var walk func(any)
	walk = func(entry any) {
		switch entry := entry.(type) {
		case string:
			named = append(named, "docs/"+entry)
		case []any:
			for _, below := range entry {
				walk(below)
			}
		case map[string]any:
			for _, below := range entry {
				walk(below)
			}
		}
	}
	for _, entry := range site.Nav {
		walk(entry)
	}
	index := read(t, "docs/index.md")
	var want []string
	for _, page := range pages(t) {
		if !strings.HasPrefix(page, "docs/") {
			continue
		}
		want = append(want, page)
		name := strings.TrimPrefix(page, "docs/")
		if page != "docs/index.md" && !strings.HasPrefix(name, "decisions/0") && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/index.md has no link to %s", name)
		}
	}
	slices.Sort(named)
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("nav of mkdocs.yml has\n%v\ndocs\n%v", named, want)
	}
}
