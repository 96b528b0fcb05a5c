package imagepattern

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// Pattern is one entry of a DebugClass's images, ready to compare. The zero Pattern allows no image.
type Pattern struct {
	// repository is the registry's part and those of the repository.
	repository []string
	// tag and digest are empty if the pattern does not ask for them.
	tag, digest string
}

// Parse reads a pattern; see the package's comment for what it may say. It returns an error, which does not say which
// pattern it is about, if the pattern is longer than 1024 bytes, if no image could ever match it, or if it says more than
// whoever wrote it will have meant.
func Parse(pattern string) (Pattern, error) {
	if len(pattern) > maxLength {
		return Pattern{}, fmt.Errorf("it is longer than %d bytes", maxLength)
	}
	if isImageID(pattern) {
		return Pattern{}, errors.New("a digest needs a repository before it, as in REPOSITORY@sha256:*, or **@sha256:*")
	}
	name, digest, hasDigest := strings.Cut(pattern, "@")
	name, tag, hasTag := cutTag(name)
	repository, err := parseRepository(name)
	if err != nil {
		return Pattern{}, err
	}
	if hasTag {
		if err := checkTag(tag); err != nil {
			return Pattern{}, err
		}
	}
	if hasDigest {
		if err := checkDigest(digest); err != nil {
			return Pattern{}, err
		}
	}
	return Pattern{repository: repository, tag: tag, digest: digest}, nil
}

// Matches reports whether the pattern allows the image. It allows none that is no image's name.
func (p Pattern) Matches(image string) bool {
	parsed, err := parseImage(image)
	return err == nil && p.matches(parsed)
}

// MatchAny reports whether one of the patterns allows the image. A pattern that is none allows nothing; no patterns allow
// nothing either. It returns an error, as Normalize does, if the image is no image's name.
func MatchAny(patterns []string, image string) (bool, error) {
	parsed, err := parseImage(image)
	if err != nil {
		return false, err
	}
	for _, pattern := range patterns {
		if p, err := Parse(pattern); err == nil && p.matches(parsed) {
			return true, nil
		}
	}
	return false, nil
}

func (p Pattern) matches(i image) bool {
	if p.tag != "" && (i.tag == "" || !matchGlob(p.tag, i.tag)) {
		return false
	}
	switch {
	case p.digest != "":
		if i.digest == "" || !matchGlob(p.digest, i.digest) {
			return false
		}
	case p.tag != "" && i.digest != "":
		// The digest decides what runs, and may be of anything else than the tag that is written beside it.
		return false
	}
	return matchParts(p.repository, i.parts)
}

// cutTag cuts a name at the colon before its tag. A colon before the last slash is that of a registry's port.
func cutTag(name string) (repository, tag string, found bool) {
	colon := strings.LastIndexByte(name, ':')
	if colon <= strings.LastIndexByte(name, '/') {
		return name, "", false
	}
	return name[:colon], name[colon+1:], true
}

func checkTag(tag string) error {
	if strings.Contains(tag, anyParts) {
		return errors.New("** matches parts between slashes; in a tag, use *")
	}
	if _, err := reference.Parse(anyRepository + ":" + sample(tag)); err != nil {
		return fmt.Errorf("%q is not a tag or tag pattern; use at most 128 letters, digits, '_', '.', '-' and *", tag)
	}
	return nil
}

func checkDigest(digest string) error {
	if digest == "*" {
		return nil
	}
	if strings.Contains(digest, anyParts) {
		return errors.New("** matches parts between slashes; in a digest, use *")
	}
	algorithm, encoded, _ := strings.Cut(digest, ":")
	length, known := digestLengths[algorithm]
	if !known {
		return fmt.Errorf("%q is not a digest or digest pattern; use sha256:, sha384: or sha512:, followed by the digits or *", digest)
	}
	// The first wildcard for all the digits that are not written, the others for none: a digest that the pattern allows.
	if missing := length - len(encoded) + strings.Count(encoded, "*"); missing >= 0 {
		encoded = strings.Replace(encoded, "*", strings.Repeat("0", missing), 1)
		encoded = strings.ReplaceAll(encoded, "*", "")
	}
	if _, err := reference.Parse(anyRepository + "@" + algorithm + ":" + encoded); err != nil {
		return fmt.Errorf("%q is not a digest or digest pattern; %s has %d digits, 0-9 and a-f", digest, algorithm, length)
	}
	return nil
}
