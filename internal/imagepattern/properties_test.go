package imagepattern

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzNormalize holds that normalizing a full name changes nothing, and that the full name is a pattern that allows the
// image.
func FuzzNormalize(f *testing.F) {
	for _, image := range []string{
		"busybox", "library/busybox:1.36", "index.docker.io/a/b", "registry.example:5000/a/b:v1@" + good, "localhost/a@" + good,
		"[::1]:5000/a", "registry:5000", "docker.io/library/sha256:0123", "evil.example/docker.io/library/busybox",
	} {
		f.Add(image)
	}
	for _, image := range notImages {
		if len(image) <= maxLength {
			f.Add(image)
		}
	}
	f.Fuzz(func(t *testing.T, image string) {
		full, err := Normalize(image)
		if err != nil {
			if full != "" {
				t.Errorf("Normalize(%q) = %q beside an error", image, full)
			}
			return
		}
		if again, err := Normalize(full); err != nil || again != full {
			t.Errorf("Normalize(%q) = %q, but that is %q (%v)", image, full, again, err)
		}
		p, err := Parse(full)
		if err != nil {
			t.Fatalf("the full name %q is no pattern: %v", full, err)
		}
		if !p.Matches(image) || !p.Matches(full) {
			t.Errorf("the pattern %q does not allow %q", full, image)
		}
	})
}

// FuzzMatches holds that nothing panics, that what is allowed is an image's name, and that an image is allowed or not
// however much of its name is written.
func FuzzMatches(f *testing.F) {
	for _, pattern := range []string{"busybox", "busybox:1.*", "registry.example/**", "**/a@sha256:*", "*.example/a*/**/b",
		"*:5000/a", "**"} {
		for _, image := range []string{"busybox", "registry.example/a/b", "busybox:1.36@" + evil, "[::1]:5000/a", "Not An Image"} {
			f.Add(pattern, image)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, image string) {
		allowed, err := MatchAny([]string{pattern}, image)
		full, notImage := Normalize(image)
		if (err != nil) != (notImage != nil) {
			t.Fatalf("MatchAny says %v of %q, Normalize %v", err, image, notImage)
		}
		p, notPattern := Parse(pattern)
		if allowed && (notImage != nil || notPattern != nil) {
			t.Errorf("%q (%v) allows %q (%v)", pattern, notPattern, image, notImage)
		}
		if p.Matches(image) != allowed {
			t.Errorf("MatchAny says %t of %q and %q, Matches does not", allowed, pattern, image)
		}
		if notImage == nil && p.Matches(full) != allowed {
			t.Errorf("%q allows one of %q and %q and not the other", pattern, image, full)
		}
	})
}

// draws of few letters, so that patterns and images often meet
var (
	anyTag     = rapid.SampledFrom([]string{"", ":1", ":1.36", ":latest", ":A"})
	anyDigest  = rapid.SampledFrom([]string{"", "", "@" + good, "@" + evil})
	registries = rapid.SampledFrom([]string{"", "docker.io/", "index.docker.io/", "docker.io/library/", "library/", "r.example/",
		"r.example:5000/", "s.r.example/", "localhost/", "evil/"})
	paths = rapid.SampledFrom([]string{"a", "b", "ab", "a/b", "a/b/a", "library/a"})
)

func drawImage(t *rapid.T) string {
	return registries.Draw(t, "registry") + paths.Draw(t, "path") + anyTag.Draw(t, "tag") + anyDigest.Draw(t, "digest")
}

// drawPattern draws an image's name in which some characters or parts have become wildcards.
func drawPattern(t *rapid.T) string {
	parts := strings.Split(drawImage(t), "/")
	for i, part := range parts {
		switch rapid.IntRange(0, 4).Draw(t, "wildcard") {
		case 0:
			parts[i] = "**"
		case 1:
			parts[i] = "*"
		case 2:
			at := rapid.IntRange(0, len(part)).Draw(t, "at")
			parts[i] = part[:at] + "*" + part[at:]
		}
	}
	return strings.Join(parts, "/")
}

func TestMatchAnyDoesNotDependOnHowMuchOfTheNameIsWritten(t *testing.T) {
	var allowed, denied int
	rapid.Check(t, func(t *rapid.T) {
		image := drawImage(t)
		patterns := rapid.SliceOfN(rapid.Custom(drawPattern), 1, 4).Draw(t, "patterns")
		full, err := Normalize(image)
		if err != nil {
			t.Fatal(err)
		}
		short, err := MatchAny(patterns, image)
		if err != nil {
			t.Fatal(err)
		}
		if long, err := MatchAny(patterns, full); err != nil || long != short {
			t.Fatalf("%q: %t for %q, but %t (%v) for %q", patterns, short, image, long, err, full)
		}
		if short {
			allowed++
		} else {
			denied++
		}
	})
	if allowed == 0 || denied == 0 {
		t.Errorf("of the drawn images %d were allowed and %d not: the property has not been put to the test", allowed, denied)
	}
}

// What a pattern with a tag alone allows must have that tag when it runs, which nobody knows of an image with a digest.
func TestATagAloneNeverAllowsADigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.Custom(drawPattern).Filter(func(p string) bool {
			_, _, tagged := cutTag(p)
			return tagged && !strings.Contains(p, "@")
		}).Draw(t, "pattern")
		image := registries.Draw(t, "registry") + paths.Draw(t, "path") + anyTag.Draw(t, "tag") + "@" + evil
		if allowed, err := MatchAny([]string{pattern}, image); allowed || err != nil {
			t.Fatalf("%q allows %q (%v)", pattern, image, err)
		}
	})
}

// matchSlowly is what match should say, by trying every split.
func matchSlowly(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return matchSlowly(pattern[1:], s) || s != "" && matchSlowly(pattern, s[1:])
	default:
		return s != "" && pattern[0] == s[0] && matchSlowly(pattern[1:], s[1:])
	}
}

func TestGlobSaysWhatTryingEverySplitSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "s")
		if got, want := matchGlob(pattern, s), matchSlowly(pattern, s); got != want {
			t.Fatalf("matchGlob(%q, %q) = %t, want %t", pattern, s, got, want)
		}
	})
}
