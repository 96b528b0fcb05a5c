package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// release is the Kubernetes that is built and run. Each has a module of its own,
// kubernetes/MINOR, whose go.mod decides what is built: pin writes it.
type release struct {
	minor   string // such as 1.37
	version string // such as v1.37.2
}

// chosenRelease is the one that K8S_VERSION names by its minor version, or the
// newest that there is.
func chosenRelease() (release, error) {
	source, err := sourceDir()
	if err != nil {
		return release{}, err
	}
	minors, err := pinnedMinors(source)
	if err != nil {
		return release{}, err
	}
	minor := minors[len(minors)-1]
	if named := os.Getenv("K8S_VERSION"); named != "" {
		if !slices.Contains(minors, named) {
			return release{}, usageError("K8S_VERSION=%s: there is no such Kubernetes here; there are %s", named, strings.Join(minors, ", "))
		}
		minor = named
	}
	return readRelease(source, minor)
}

// pinnedMinors are the folders of kubernetes/, the oldest first.
func pinnedMinors(source string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(source, "kubernetes"))
	if err != nil {
		return nil, err
	}
	var minors []string
	for _, entry := range entries {
		if entry.IsDir() {
			minors = append(minors, entry.Name())
		}
	}
	if len(minors) == 0 {
		return nil, fmt.Errorf("%s holds no module of a Kubernetes: `pin VERSION` writes one", filepath.Join(source, "kubernetes"))
	}
	slices.SortFunc(minors, func(a, b string) int { return minorNumber(a) - minorNumber(b) })
	return minors, nil
}

// minorNumber is 37 of 1.37.
func minorNumber(minor string) int {
	number, _ := strconv.Atoi(strings.TrimPrefix(minor, "1."))
	return number
}

var kubernetesRequirement = regexp.MustCompile(`(?m)^\tk8s\.io/kubernetes (v[0-9.]+)$`)

func readRelease(source, minor string) (release, error) {
	r := release{minor: minor}
	content, err := os.ReadFile(filepath.Join(source, r.folder(), "go.mod"))
	if err != nil {
		return r, err
	}
	found := kubernetesRequirement.FindSubmatch(content)
	if found == nil {
		return r, fmt.Errorf("%s/go.mod requires no k8s.io/kubernetes: `pin VERSION` writes it", r.folder())
	}
	r.version = string(found[1])
	return r, nil
}

// folder is that of its module.
func (r release) folder() string { return "kubernetes/" + r.minor }

// versionFlags stamps the version. Without it the API server reports v0.0.0 and
// kubectl warns about version skew.
func (r release) versionFlags() string {
	number := strings.Split(r.minor, ".")
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X "+pkg+".gitVersion="+r.version,
			"-X "+pkg+".gitMajor="+number[0],
			"-X "+pkg+".gitMinor="+number[1])
	}
	return strings.Join(flags, " ")
}
