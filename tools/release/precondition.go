package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// check refuses what must not be released, and learns of the commit what is written into the files.
func (r *release) check(ctx context.Context) error {
	if err := checkVersion(r.version); err != nil {
		return err
	}
	changed, err := git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("the work tree is not clean, so that nobody could build the same; commit or remove:\n%s", changed)
	}
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	if r.notes, err = section(string(changelog), r.version); err != nil {
		return err
	}
	if r.commit, err = git(ctx, "rev-parse", "HEAD"); err != nil {
		return err
	}
	committed, err := git(ctx, "show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(committed, 10, 64)
	if err != nil {
		return err
	}
	r.time = time.Unix(seconds, 0).UTC()
	return nil
}

// checkVersion wants all three numbers, which semver.IsValid does not. An image's tag cannot have build metadata.
func checkVersion(version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("VERSION=%s is not a semantic version with a v and without build metadata: write one such as v0.1.0 or v0.2.0-rc.1", version)
	}
	return nil
}

var heading = regexp.MustCompile(`(?m)^## .*$`)

// section is what the changelog says of a version, without its heading.
func section(changelog, version string) (string, error) {
	of := regexp.MustCompile(`^## ` + regexp.QuoteMeta(version) + `( - \d{4}-\d{2}-\d{2})?$`)
	headings := heading.FindAllStringIndex(changelog, -1)
	for i, at := range headings {
		if !of.MatchString(changelog[at[0]:at[1]]) {
			continue
		}
		end := len(changelog)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		if text := strings.TrimSpace(changelog[at[1]:end]); text != "" {
			return text, nil
		}
		return "", errors.New("CHANGELOG.md has nothing under its heading " + changelog[at[0]:at[1]] + ": write there what is new")
	}
	return "", fmt.Errorf("CHANGELOG.md has no section of %s: write the heading `## %s - YYYY-MM-DD` below `## Unreleased`, above what the release has", version, version)
}
