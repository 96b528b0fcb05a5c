package imagepattern

import (
	"strings"
	"testing"
)

// Two digests: what an administrator had in mind, and what somebody else pushed.
var (
	good = "sha256:" + strings.Repeat("0a", 32)
	evil = "sha256:" + strings.Repeat("e1", 32)
)

func TestNormalizeCompletesAsRuntimesDo(t *testing.T) {
	for image, want := range map[string]string{
		"busybox":                                    "docker.io/library/busybox:latest",
		"busybox:1.36":                               "docker.io/library/busybox:1.36",
		"busybox:1.36-GLIBC":                         "docker.io/library/busybox:1.36-GLIBC",
		"library/busybox":                            "docker.io/library/busybox:latest",
		"docker.io/busybox":                          "docker.io/library/busybox:latest",
		"docker.io/library/busybox:latest":           "docker.io/library/busybox:latest",
		"index.docker.io/busybox":                    "docker.io/library/busybox:latest",
		"index.docker.io/library/busybox":            "docker.io/library/busybox:latest",
		"nicolaka/netshoot":                          "docker.io/nicolaka/netshoot:latest",
		"busybox@" + good:                            "docker.io/library/busybox@" + good,
		"busybox:1.36@" + good:                       "docker.io/library/busybox:1.36@" + good,
		"registry.example/tools":                     "registry.example/tools:latest",
		"registry.example:5000/a/b:v1":               "registry.example:5000/a/b:v1",
		"registry:5000/tools":                        "registry:5000/tools:latest",
		"registry/tools":                             "docker.io/registry/tools:latest",
		"registry:5000":                              "docker.io/library/registry:5000",
		"localhost/tools":                            "localhost/tools:latest",
		"localhost:5000/tools":                       "localhost:5000/tools:latest",
		"[::1]:5000/tools":                           "[::1]:5000/tools:latest",
		"10.0.0.7/tools":                             "10.0.0.7/tools:latest",
		"docker.io:443/library/busybox":              "docker.io:443/library/busybox:latest",
		"evil.example/docker.io/library/busybox":     "evil.example/docker.io/library/busybox:latest",
		"docker.io/library/sha256:0123":              "docker.io/library/sha256:0123",
		"busybox@sha512:" + strings.Repeat("0a", 64): "docker.io/library/busybox@sha512:" + strings.Repeat("0a", 64),
	} {
		got, err := Normalize(image)
		if err != nil || got != want {
			t.Errorf("Normalize(%q) = %q, %v; want %q", image, got, err, want)
		}
	}
}

// notImages are no images' names, or such as may be taken for something else.
var notImages = map[string]string{
	"empty":                       "",
	"space":                       " ",
	"space before":                " busybox",
	"newline after":               "busybox\n",
	"tab within":                  "busy\tbox",
	"NUL":                         "busybox\x00",
	"upper case":                  "Busybox",
	"upper case registry":         "Registry.example/tools",
	"upper case in the first":     "Library/busybox",
	"docker.io in capitals":       "DOCKER.IO/library/busybox",
	"homoglyph":                   "busybоx", // a Cyrillic o
	"full-width colon":            "busybox：1.36",
	"slash look-alike":            "docker.io∕library∕busybox",
	"zero width":                  "busybox\u200b",
	"invalid UTF-8":               "busybox\xff",
	"dots":                        "registry.example/a/../b",
	"dots first":                  "../busybox",
	"one dot":                     "registry.example/./b",
	"scheme":                      "https://registry.example/tools",
	"transport":                   "docker://busybox",
	"leading slash":               "/busybox",
	"trailing slash":              "busybox/",
	"double slash":                "registry.example//tools",
	"registry only":               "registry.example/",
	"registry with a final dot":   "docker.io./library/busybox",
	"no tag after the colon":      "busybox:",
	"two tags":                    "busybox:1:2",
	"tag too long":                "busybox:" + strings.Repeat("a", 129),
	"no digest after the at":      "busybox@",
	"user at host":                "user@registry.example/tools",
	"user and password":           "user:secret@registry.example/tools",
	"percent":                     "registry.example%2ftools",
	"query":                       "registry.example/tools?x=1",
	"wildcard":                    "busybox:*",
	"two wildcards":               "**",
	"backslash":                   `registry.example\tools`,
	"digest too short":            "busybox@sha256:0a",
	"digest in capitals":          "busybox@sha256:" + strings.Repeat("0A", 32),
	"digest of an unknown kind":   "busybox@md5:" + strings.Repeat("0a", 16),
	"two digests":                 "busybox@" + good + "@" + good,
	"tag after the digest":        "busybox@" + good + ":1.36",
	"image ID":                    good,
	"start of an image ID":        "sha256:0a0a",
	"image ID with a digest":      "sha256:0a0a@" + good,
	"image ID without algorithm":  strings.TrimPrefix(good, "sha256:"),
	"port is no number":           "registry.example:port/tools",
	"repository too long":         "registry.example/" + strings.Repeat("a", 256),
	"registry too long":           strings.Repeat("a.", 130) + "example/tools",
	"very long":                   strings.Repeat("a/", 1<<20) + "a",
	"very long with a wildcard":   strings.Repeat("*", 1<<20),
	"IPv6 address with a zone":    "[fe80::1%25eth0]/tools",
	"IPv6 address in capitals":    "[FE80::1]/tools",
	"dash at the end of registry": "registry-.example-/tools",
}

func TestWhatIsNoImageIsRefused(t *testing.T) {
	for name, image := range notImages {
		t.Run(name, func(t *testing.T) {
			if got, err := Normalize(image); err == nil {
				t.Errorf("Normalize(%.60q) = %q, want an error", image, got)
			}
			if allowed, err := MatchAny([]string{"**"}, image); allowed || err == nil {
				t.Errorf("MatchAny(**, %.60q) = %t, %v; want an error", image, allowed, err)
			}
			if everything, err := Parse("**"); err != nil || everything.Matches(image) {
				t.Errorf("** allows %.60q (%v)", image, err)
			}
		})
	}
}

func TestLongestNameStaysReadable(t *testing.T) {
	label := strings.Repeat("a", 62) + "."
	image := strings.Repeat(label, 4) + "a:65535/" + strings.Repeat("b", 255) + ":" + strings.Repeat("C", 128) +
		"@sha512:" + strings.Repeat("0a", 64)
	got, err := Normalize(image)
	if err != nil || got != image {
		t.Fatalf("Normalize of the longest name = %q, %v; want it unchanged", got, err)
	}
	p, err := Parse(image)
	if err != nil || !p.Matches(image) {
		t.Fatalf("the longest name as a pattern does not allow itself: %v", err)
	}
}
