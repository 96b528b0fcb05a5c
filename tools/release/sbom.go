package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

const noAssertion = "NOASSERTION"

// sbom writes which modules each binary was linked of, as it says itself.
func (r *release) sbom(managers []manager, imageDigest string) error {
	var binaries []string
	for _, built := range managers {
		binaries = append(binaries, filepath.Base(built.path))
	}
	for _, platform := range r.platforms {
		binaries = append(binaries, r.plugin(platform))
	}
	document := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      product + " " + r.version,
		DocumentNamespace: fmt.Sprintf("%s/spdx/%s/%s", r.source, r.version, strings.TrimPrefix(imageDigest, "sha256:")),
		CreationInfo: &spdx.CreationInfo{
			Created:  r.time.Format(time.RFC3339),
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "debugsession.dev/operator/tools/release"}},
		},
	}
	known := map[common.ElementID]bool{}
	for _, binary := range binaries {
		if err := r.describe(document, binary, known); err != nil {
			return fmt.Errorf("SBOM of %s: %w", binary, err)
		}
	}
	var text bytes.Buffer
	if err := spdxjson.Write(document, &text, spdxjson.Indent("  ")); err != nil {
		return err
	}
	return r.write(fmt.Sprintf("%s_%s.spdx.json", product, r.version), text.Bytes())
}

// plugin is the file of kubectl dbg for a platform, as tools/plugin-archives.sh names it.
func (r *release) plugin(platform string) string {
	name := fmt.Sprintf("kubectl-dbg_%s_%s", r.version, strings.ReplaceAll(platform, "/", "_"))
	if strings.HasPrefix(platform, "windows/") {
		name += ".exe"
	}
	return name
}

func (r *release) describe(document *spdx.Document, binary string, known map[common.ElementID]bool) error {
	path := filepath.Join(r.out, binary)
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	hash, err := hashFile(path)
	if err != nil {
		return err
	}
	own := elementID("binary", binary)
	document.Packages = append(document.Packages, &spdx.Package{
		PackageName: binary, PackageSPDXIdentifier: own, PackageVersion: r.version, PackageFileName: binary,
		PackageChecksums:        []common.Checksum{{Algorithm: common.SHA256, Value: hash}},
		PackageDownloadLocation: r.downloads + "/" + binary, PrimaryPackagePurpose: "APPLICATION",
		PackageLicenseDeclared: "Apache-2.0", PackageLicenseConcluded: noAssertion, PackageCopyrightText: noAssertion,
	})
	relate(document, "DOCUMENT", common.TypeRelationshipDescribe, own)
	for _, m := range modules(info) {
		id := elementID("module", m.path+"-"+m.version)
		if !known[id] {
			known[id] = true
			document.Packages = append(document.Packages, m.spdx(id))
		}
		relate(document, own, common.TypeRelationshipDependsOn, id)
	}
	return nil
}

func relate(document *spdx.Document, from common.ElementID, how string, to common.ElementID) {
	document.Relationships = append(document.Relationships, &spdx.Relationship{
		RefA: common.MakeDocElementID("", string(from)), Relationship: how, RefB: common.MakeDocElementID("", string(to)),
	})
}

// module is what a binary was linked of. Its sum is that of go.sum, which is not of one file.
type module struct{ path, version, sum string }

// modules are those of a binary, and Go's own library.
func modules(info *buildinfo.BuildInfo) []module {
	all := []module{{"stdlib", strings.TrimPrefix(info.GoVersion, "go"), ""}}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		all = append(all, module{dep.Path, dep.Version, dep.Sum})
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return all
}

func (m module) spdx(id common.ElementID) *spdx.Package {
	p := &spdx.Package{
		PackageName: m.path, PackageSPDXIdentifier: id, PackageVersion: m.version, PrimaryPackagePurpose: "LIBRARY",
		PackageDownloadLocation: noAssertion, PackageLicenseDeclared: noAssertion, PackageLicenseConcluded: noAssertion, PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: "pkg:golang/" + m.path + "@" + m.version,
		}},
	}
	if m.sum != "" {
		p.PackageSourceInfo = "go.sum: " + m.sum
	}
	return p
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func elementID(kind, name string) common.ElementID {
	return common.ElementID(kind + "-" + notInID.ReplaceAllString(name, "-"))
}
