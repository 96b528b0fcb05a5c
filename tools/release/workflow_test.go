package main

import (
	"io"
	"os/exec"
	"regexp"
	"testing"

	"github.com/rhysd/actionlint"
)

const workflow = "../../.github/workflows/release.yaml"

func TestWorkflowIsValid(t *testing.T) {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mistakes, err := linter.LintFile(workflow, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, mistake := range mistakes {
		t.Error(mistake)
	}
}

// The targets that it makes are there.
func TestWorkflowMakesTargets(t *testing.T) {
	targets := regexp.MustCompile(`\bmake ([a-z-]+) VERSION=`).FindAllStringSubmatch(string(read(t, workflow)), -1)
	if len(targets) == 0 {
		t.Fatal("it makes nothing")
	}
	for _, target := range targets {
		if out, err := exec.Command("make", "-C", "../..", "--dry-run", target[1], "VERSION=v1.2.3").CombinedOutput(); err != nil {
			t.Errorf("make %s: %v: %s", target[1], err, out)
		}
	}
}
