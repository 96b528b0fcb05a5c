package imagepattern

import (
	"strings"
	"testing"
	"time"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern string
		allows  []string
		not     []string
	}{
		{
			pattern: "busybox",
			allows: []string{"busybox", "busybox:1.36", "library/busybox", "docker.io/busybox", "docker.io/library/busybox",
				"index.docker.io/library/busybox", "busybox@" + good, "busybox:1.36@" + evil},
			not: []string{"evil.example/docker.io/library/busybox", "docker.io.evil.example/library/busybox",
				"busybox.evil.example/busybox", "evil.example/busybox", "evil/busybox", "library/library/busybox", "busybox2",
				"mybusybox", "busybox/busybox", "localhost/busybox", "docker.io:443/library/busybox", "library:80/busybox",
				"registry-1.docker.io/library/busybox"},
		},
		{pattern: "library/busybox", allows: []string{"busybox"}, not: []string{"evil/busybox"}},
		{pattern: "index.docker.io/busybox", allows: []string{"busybox", "docker.io/library/busybox"}},
		{
			pattern: "busybox:1.*",
			allows:  []string{"busybox:1.36", "docker.io/library/busybox:1."},
			not:     []string{"busybox", "busybox:latest", "busybox:11", "busybox:2-1.36", "busybox@" + good, "busybox:1.36@" + evil},
		},
		{pattern: "busybox:latest", allows: []string{"busybox", "busybox:latest"}, not: []string{"busybox:1", "busybox@" + good}},
		{pattern: "busybox:*", allows: []string{"busybox", "busybox:1"}, not: []string{"busybox:1@" + evil, "busybox@" + evil}},
		{pattern: "busybox:*-GLIBC", allows: []string{"busybox:1-GLIBC"}, not: []string{"busybox:1-glibc"}},
		{
			pattern: "busybox@sha256:*",
			allows:  []string{"busybox@" + good, "busybox:1.36@" + good},
			not:     []string{"busybox", "busybox:1.36", "busybox@sha512:" + strings.Repeat("0a", 64), "evil/busybox@" + good},
		},
		{pattern: "busybox@*", allows: []string{"busybox@" + good, "busybox@sha512:" + strings.Repeat("0a", 64)}, not: []string{"busybox"}},
		{pattern: "busybox@" + good, allows: []string{"busybox@" + good, "busybox:x@" + good}, not: []string{"busybox@" + evil}},
		{pattern: "busybox@sha256:0a*", allows: []string{"busybox@" + good}, not: []string{"busybox@" + evil}},
		{
			pattern: "busybox:1.*@sha256:*",
			allows:  []string{"busybox:1.36@" + good},
			not:     []string{"busybox:1.36", "busybox@" + good, "busybox:2@" + good},
		},
		{
			pattern: "registry.example/debug/*",
			allows:  []string{"registry.example/debug/tools", "registry.example/debug/tools:v1", "registry.example/debug/tools@" + good},
			not: []string{"registry.example/debug", "registry.example/debug/a/b", "registry.example:5000/debug/tools",
				"registry.example.evil.example/debug/tools", "evil.example/registry.example/debug/tools", "debug/tools"},
		},
		{
			pattern: "registry.example/**",
			allows:  []string{"registry.example/a", "registry.example/a/b/c:v1"},
			not:     []string{"registry.example:5000/a", "sub.registry.example/a", "registry.example.evil.example/a", "a"},
		},
		{
			pattern: "registry.example/debug/**",
			allows:  []string{"registry.example/debug/a", "registry.example/debug/a/b"},
			not:     []string{"registry.example/debug", "registry.example/debugger/a", "registry.example/x/debug/a"},
		},
		{
			pattern: "registry.example/**/tools",
			allows:  []string{"registry.example/tools", "registry.example/a/tools", "registry.example/a/b/tools"},
			not:     []string{"registry.example/a/tools/b", "registry.example/mytools", "evil.example/registry.example/tools"},
		},
		{
			pattern: "registry.example/**/a/**/b",
			allows:  []string{"registry.example/a/x/a/b", "registry.example/x/a/a/y/b"},
			not:     []string{"registry.example/b/a"},
		},
		{
			pattern: "registry.example/a*c",
			allows:  []string{"registry.example/ac", "registry.example/a-b-c"},
			not:     []string{"registry.example/a/c"},
		},
		{
			pattern: "registry.example:5000/*",
			allows:  []string{"registry.example:5000/a"},
			not:     []string{"registry.example/a", "registry.example:50000/a"},
		},
		{
			pattern: "registry.example:*/a",
			allows:  []string{"registry.example:1/a"},
			not:     []string{"registry.example/a", "registry.example.evil:1/a"},
		},
		{pattern: "*.registry.example/a", allows: []string{"eu.registry.example/a", "b.eu.registry.example/a"},
			not: []string{"registry.example/a", "evilregistry.example/a", "eu.registry.example:80/a", "eu.registry.example.evil/a"}},
		{
			pattern: "*:5000/a",
			allows:  []string{"registry:5000/a", "[::1]:5000/a"},
			not:     []string{"registry:15000/a", "registry/a", "x:5000/b/a"},
		},
		{pattern: "localhost/*", allows: []string{"localhost/a"}, not: []string{"a", "localhost:5000/a", "localhosts/a"}},
		{pattern: "local*/a", allows: []string{"locals/a"}, not: []string{"localhost/a"}},
		{pattern: "localhost:5000", allows: []string{"docker.io/library/localhost:5000"}, not: []string{"localhost:5000/a"}},
		{pattern: "*", allows: []string{"busybox", "alpine:3"}, not: []string{"evil/busybox", "evil.example/a", "localhost/a"}},
		{pattern: "*/debug", allows: []string{"anyone/debug", "debug"}, not: []string{"evil.example/debug", "a/b/debug", "x:5000/debug"}},
		{pattern: "*/*", allows: []string{"busybox", "anyone/debug"}, not: []string{"evil.example/debug", "a/b/c"}},
		{pattern: "*/**", allows: []string{"busybox", "anyone/a/b"}, not: []string{"evil.example/debug", "localhost/a"}},
		{pattern: "docker.io/*", allows: []string{"busybox"}, not: []string{"evil/busybox"}},
		{pattern: "docker.io/**", allows: []string{"busybox", "anyone/a/b"}, not: []string{"evil.example/docker.io/a"}},
		{pattern: "index.docker.io/**", allows: []string{"busybox"}, not: []string{"localhost/a"}},
		{pattern: "nicolaka/**", allows: []string{"nicolaka/a/b"}, not: []string{"nicolaka", "nicolaka.example/a"}},
		{pattern: "**", allows: []string{"busybox", "evil.example/a/b/c", "localhost/a", "busybox:1@" + evil}},
		{pattern: "**/debug", allows: []string{"debug", "evil.example/debug", "a/b/debug"}, not: []string{"debug/a", "mydebug"}},
		{pattern: "**:1.0", allows: []string{"busybox:1.0", "x.example/a:1.0"}, not: []string{"busybox", "busybox:1.0@" + evil}},
		{pattern: "**@sha256:*", allows: []string{"busybox@" + good, "x.example/a@" + evil}, not: []string{"busybox:1"}},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			p, err := Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, image := range c.allows {
				if !p.Matches(image) {
					t.Errorf("%q does not allow %q, and should", c.pattern, image)
				}
			}
			for _, image := range c.not {
				if _, err := Normalize(image); err != nil {
					t.Errorf("%q is refused whatever the pattern: %v", image, err)
				}
				if p.Matches(image) {
					t.Errorf("%q allows %q, and should not", c.pattern, image)
				}
			}
		})
	}
}

func TestWhatIsNoPatternIsRefusedAndAllowsNothing(t *testing.T) {
	patterns := map[string]string{
		"registry open at its end":        "registry.example*/a",
		"registry open after a dot":       "registry.*/a",
		"registry open at its start":      "*registry.example/a",
		"registry open in its last label": "registry.ex*mple/a",
		"registry open before its port":   "registry*:5000/a",
		"IPv6 address with a wildcard":    "[*]:5000/a",
		"three stars":                     "***",
		"two stars beside letters":        "registry.example/a**",
		"two stars in a registry":         "**.registry.example/a",
		"two stars in a tag":              "busybox:**",
		"two stars in a digest":           "busybox@sha256:**",
		"digest without algorithm":        "busybox@0a*",
		"digest with too many digits":     "busybox@sha256:*" + strings.Repeat("0", 65),
		"digest with a letter":            "busybox@sha256:*x*",
		"digest of any algorithm":         "busybox@*:0a",
		"no repository":                   "@sha256:*",
		"tag alone":                       ":1.36",
		"class of characters":             "busybox:[0-9]",
		"alternatives":                    "{busybox,alpine}",
		"question mark":                   "busybo?",
		"regular expression":              "^busybox.*$",
		"not":                             "!busybox",
	}
	for name, image := range notImages {
		// These are fine as patterns, and the start of a repository's name may be of any kind.
		if image != "**" && image != "busybox:*" && name != "image ID without algorithm" {
			patterns["image: "+name] = image
		}
	}
	for name, pattern := range patterns {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(pattern)
			if err == nil {
				t.Errorf("Parse(%.60q) = %v, want an error", pattern, p)
			}
			for _, image := range []string{"busybox", "registry.example/a", "a", "busybox@" + good} {
				if allowed, err := MatchAny([]string{pattern}, image); allowed || err != nil {
					t.Errorf("%.60q allows %q (%v)", pattern, image, err)
				}
			}
		})
	}
}

func TestMatchAny(t *testing.T) {
	for _, c := range []struct {
		patterns []string
		image    string
		want     bool
	}{
		{nil, "busybox", false},
		{[]string{"alpine", "busybox"}, "busybox", true},
		{[]string{"alpine", "busybox"}, "debian", false},
		{[]string{"No Pattern", "busybox"}, "busybox", true},
	} {
		if got, err := MatchAny(c.patterns, c.image); err != nil || got != c.want {
			t.Errorf("MatchAny(%q, %q) = %t, %v; want %t", c.patterns, c.image, got, err, c.want)
		}
	}
	if (Pattern{}).Matches("busybox") {
		t.Error("the zero Pattern allows busybox")
	}
}

// Patterns on which a matcher that tries every split would not end within a lifetime.
func TestNoPatternTakesLong(t *testing.T) {
	for pattern, image := range map[string]string{
		"registry.example/" + strings.Repeat("*a", 120) + "b":    "registry.example/" + strings.Repeat("a", 255),
		"registry.example" + strings.Repeat("/**/a", 40) + "/b":  "registry.example" + strings.Repeat("/a", 127),
		"registry.example/**" + strings.Repeat("/*a*a*a", 30):    "registry.example" + strings.Repeat("/aab", 60),
		"registry.example/a:" + strings.Repeat("*a", 60) + "*b*": "registry.example/a:" + strings.Repeat("a", 128),
	} {
		if _, err := Parse(pattern); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 100 {
			if allowed, err := MatchAny([]string{pattern}, image); allowed || err != nil {
				t.Fatalf("%.60q allows %.60q (%v)", pattern, image, err)
			}
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("100 times %.60q took %s", pattern, took)
		}
	}
}
