package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	spdxjson "github.com/spdx/tools-golang/json"
)

// asked is a release into an empty folder.
func asked(t *testing.T) *release {
	t.Helper()
	return &release{
		version: "v1.2.3", out: t.TempDir(), repository: "example.com/operator", downloads: "https://example.com/v1.2.3",
		source: "https://example.com/source", builder: "https://example.com/builder", platforms: []string{"linux/amd64", "windows/arm64"},
		commit: strings.Repeat("a", 40), time: time.Unix(1_800_000_000, 0).UTC(),
	}
}

// twice makes something in two folders, and returns the only file that each then has, which must be the same.
func twice(t *testing.T, do func(r *release) error) string {
	t.Helper()
	var made [2]string
	for i := range made {
		r := asked(t)
		if err := do(r); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(r.out)
		if err != nil || len(entries) != 1 {
			t.Fatalf("there are %v (%v), want one file", entries, err)
		}
		made[i] = filepath.Join(r.out, entries[0].Name())
	}
	if filepath.Base(made[0]) != filepath.Base(made[1]) || !bytes.Equal(read(t, made[0]), read(t, made[1])) {
		t.Errorf("%s differs when it is made again", filepath.Base(made[0]))
	}
	return made[0]
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// contents are the files of a tar.
func contents(t *testing.T, archive io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for in := tar.NewReader(archive); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = data
	}
}

func TestCheckVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"v0.1.0": true, "v1.2.3-rc.1": true, "": false, "0.1.0": false, "v1": false, "v1.2": false, "v1.2.3+build": false, "latest": false,
	} {
		if err := checkVersion(version); (err == nil) != want {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestSection(t *testing.T) {
	const changelog = "# Changelog\n\n## Unreleased\n\n## v0.2.0 - 2027-01-31\n\nSecond.\n\n### More\n\n## v0.1.0\n\nFirst.\n"
	for version, want := range map[string]string{"v0.2.0": "Second.\n\n### More", "v0.1.0": "First."} {
		if got, err := section(changelog, version); err != nil || got != want {
			t.Errorf("of %s there is %q (%v), want %q", version, got, err, want)
		}
	}
	for version, want := range map[string]string{"v0.3.0": "write the heading `## v0.3.0", "v0.1": "has no section", "Unreleased": "nothing under its heading"} {
		if _, err := section(changelog, version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("of %s: %v, want an error with %q", version, err, want)
		}
	}
}

func TestImages(t *testing.T) {
	binaries := map[string]string{"amd64": "for amd64", "arm64": "for arm64"}
	var digest string
	archive := twice(t, func(r *release) error {
		var managers []manager
		folder := t.TempDir()
		for _, arch := range slices.Sorted(maps.Keys(binaries)) {
			path := filepath.Join(folder, arch)
			if err := os.WriteFile(path, []byte(binaries[arch]), 0o600); err != nil {
				return err
			}
			managers = append(managers, manager{arch, path})
		}
		var err error
		digest, err = r.images(managers)
		return err
	})
	index := unpacked(t, archive, digest)
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != len(binaries) {
		t.Fatalf("the index has %d images, want %d", len(manifest.Manifests), len(binaries))
	}
	for _, of := range manifest.Manifests {
		image, err := index.Image(of.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if arch := of.Platform.Architecture; config.Architecture != arch || config.OS != "linux" || of.Platform.OS != "linux" {
			t.Errorf("the image for linux/%s is for %s/%s", arch, config.OS, config.Architecture)
		}
		if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) {
			t.Errorf("it runs %v as %q", config.Config.Entrypoint, config.Config.User)
		}
		if label := config.Config.Labels["org.opencontainers.image.revision"]; label != strings.Repeat("a", 40) {
			t.Errorf("its revision is %q", label)
		}
		layers, err := image.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("it has %d layers (%v), want one on scratch", len(layers), err)
		}
		layer, err := layers[0].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if files := contents(t, layer); len(files) != 1 || string(files["manager"]) != binaries[config.Architecture] {
			t.Errorf("the image for %s has %q", config.Architecture, files)
		}
	}
}

// unpacked is the one index of the layout in a tar.
func unpacked(t *testing.T, archive, digest string) v1.ImageIndex {
	t.Helper()
	folder := t.TempDir()
	for name, data := range contents(t, bytes.NewReader(read(t, archive))) {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := all.ImageIndex(hash)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func TestManifest(t *testing.T) {
	t.Chdir("../..")
	const image = "example.com/operator@sha256:0123"
	file := twice(t, func(r *release) error { return r.manifest(image) })
	if text := string(read(t, file)); strings.Count(text, "image: "+image+"\n") != 1 || strings.Count(text, "value: "+image+"\n") != 1 || strings.Contains(text, "operator:dev") {
		t.Error("install.yaml does not name the image alone by digest")
	}
}

func TestChart(t *testing.T) {
	t.Chdir("../..")
	file := twice(t, func(r *release) error { return r.chart("sha256:0123") })
	if filepath.Base(file) != "debugsession-1.2.3.tgz" {
		t.Errorf("the package is %s", filepath.Base(file))
	}
	archive, err := gzip.NewReader(bytes.NewReader(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	files := contents(t, archive)
	if values := string(files["debugsession/values.yaml"]); !strings.Contains(values, "\n  repository: example.com/operator\n") || !strings.Contains(values, "\n  digest: sha256:0123\n") {
		t.Error("the chart's values have another image")
	}
	if chart := string(files["debugsession/Chart.yaml"]); !strings.Contains(chart, "\nversion: 1.2.3") || !strings.Contains(chart, "appVersion: v1.2.3\n") {
		t.Errorf("the chart is of another version:\n%s", chart)
	}
}

// The test's own binary stands for those of the release.
func TestSBOM(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := asked(t)
	binaries := []string{"manager", r.plugin("linux/amd64"), r.plugin("windows/arm64")}
	for _, binary := range binaries {
		if err := os.WriteFile(filepath.Join(r.out, binary), read(t, self), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.sbom([]manager{{"amd64", filepath.Join(r.out, "manager")}}, "sha256:0123"); err != nil {
		t.Fatal(err)
	}
	document, err := spdxjson.Read(bytes.NewReader(read(t, filepath.Join(r.out, "debugsession-operator_v1.2.3.spdx.json"))))
	if err != nil {
		t.Fatal(err)
	}
	listed, ids := map[string]bool{}, map[string]bool{}
	for _, p := range document.Packages {
		listed[p.PackageName+"@"+p.PackageVersion] = true
		if id := string(p.PackageSPDXIdentifier); ids[id] {
			t.Errorf("two packages are %s", id)
		} else {
			ids[id] = true
		}
	}
	for _, binary := range binaries {
		if !listed[binary+"@v1.2.3"] {
			t.Errorf("%s is not listed", binary)
		}
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range info.Deps {
		if !listed[dep.Path+"@"+dep.Version] {
			t.Errorf("%s is not listed", dep.Path)
		}
	}
	for _, relationship := range document.Relationships {
		if to := string(relationship.RefB.ElementRefID); !ids[to] {
			t.Errorf("a relationship leads to %s, which is not there", to)
		}
	}
}

func TestChecksumsAndProvenance(t *testing.T) {
	r := asked(t)
	for _, name := range []string{"b", "a"} {
		if err := r.write(name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := r.checksums()
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command("sha256sum", "--check", "--strict", sumsFile)
	check.Dir = r.out
	if out, err := check.CombinedOutput(); err != nil || string(out) != "a: OK\nb: OK\n" {
		t.Errorf("sha256sum says %v: %s", err, out)
	}
	if err := r.provenance(sums, "sha256:0123"); err != nil {
		t.Fatal(err)
	}
	var made statement
	if err := json.Unmarshal(read(t, filepath.Join(r.out, provenanceFile)), &made); err != nil {
		t.Fatal(err)
	}
	subjects := map[string]string{}
	for _, subject := range made.Subject {
		subjects[subject.Name] = subject.Digest["sha256"]
	}
	want := map[string]string{r.repository: "0123"}
	for _, of := range sums {
		want[of.name] = of.sha256
	}
	if !maps.Equal(subjects, want) {
		t.Errorf("it speaks of %v, want %v", subjects, want)
	}
	if commit := made.Predicate.BuildDefinition.ResolvedDependencies[0].Digest["gitCommit"]; commit != r.commit {
		t.Errorf("it is of commit %s", commit)
	}
}

func TestReplace(t *testing.T) {
	for _, text := range []string{"", "o", "ooo"} {
		if _, err := replace([]byte(text), 2, "o", "n"); err == nil {
			t.Errorf("of %q something was replaced", text)
		}
	}
	if got, err := replace([]byte("xoyo"), 2, "o", "n"); err != nil || string(got) != "xnyn" {
		t.Errorf("it made %q (%v)", got, err)
	}
}
