package main

import (
	"encoding/json"
	"runtime"
	"strings"
)

const provenanceFile = "provenance.intoto.json"

// buildType is the page that says how the parameters below make the files.
const buildType = "https://debugsession.dev/operator/docs/releases.md"

// statement is an in-toto statement of version 1, with SLSA's provenance of version 1. The in-toto project's own types are protocol
// buffers, whose JSON has spaces by chance.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

type resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

type predicate struct {
	BuildDefinition struct {
		BuildType            string            `json:"buildType"`
		ExternalParameters   map[string]string `json:"externalParameters"`
		InternalParameters   map[string]string `json:"internalParameters"`
		ResolvedDependencies []resource        `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
	} `json:"runDetails"`
}

// provenance writes who made the files of which commit, and with what, for whoever signs it or makes them again. It has no times and no
// number of a run: they would differ each time.
func (r *release) provenance(sums []sum, imageDigest string) error {
	s := statement{Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1"}
	for _, of := range sums {
		s.Subject = append(s.Subject, resource{Name: of.name, Digest: map[string]string{"sha256": of.sha256}})
	}
	s.Subject = append(s.Subject, resource{Name: r.repository, Digest: map[string]string{"sha256": strings.TrimPrefix(imageDigest, "sha256:")}})
	definition := &s.Predicate.BuildDefinition
	definition.BuildType = buildType
	definition.ExternalParameters = map[string]string{
		"VERSION": r.version, "IMAGE_REPOSITORY": r.repository, "RELEASES": r.downloads, "SOURCE": r.source,
	}
	definition.InternalParameters = map[string]string{"go": runtime.Version(), "PLATFORMS": strings.Join(r.platforms, " ")}
	definition.ResolvedDependencies = []resource{{URI: "git+" + r.source, Digest: map[string]string{"gitCommit": r.commit}}}
	s.Predicate.RunDetails.Builder.ID = r.builder
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return r.write(provenanceFile, append(data, '\n'))
}
