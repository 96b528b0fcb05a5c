package main

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// divergencesFile is the list of what may differ. It is the only one.
//
//go:embed divergences.yaml
var divergencesFile []byte

// divergence is one way in which the results may differ, on purpose.
type divergence struct {
	// Name is what a case's listed calls it.
	Name string `json:"name"`

	// Reason says why we differ, for whoever knows kubectl debug.
	Reason string `json:"reason"`

	// Shape is the name of the file whose cases alone may differ so. Left out: any may.
	Shape string `json:"shape,omitempty"`

	// Field is a regular expression that the whole field must match. A list's members are written by name, as in
	// spec.containers[app].image.
	Field string `json:"field,omitempty"`

	// Kubectl and Ours are regular expressions that the whole values must match, as JSON on one line; none stands for a
	// field that is not there. Left out: any value.
	Kubectl string `json:"kubectl,omitempty"`
	Ours    string `json:"ours,omitempty"`

	// Refused is "kubectl" or "ours": the side whose result was refused while the other's was not; or "both", if both
	// were, each in its own words. Message is a regular expression that must match somewhere in the refusal; in both's,
	// kubectl's comes first.
	Refused string `json:"refused,omitempty"`
	Message string `json:"message,omitempty"`

	field, kubectl, ours, message *regexp.Regexp
}

func loadDivergences() ([]divergence, error) {
	var list []divergence
	if err := yaml.UnmarshalStrict(divergencesFile, &list); err != nil {
		return nil, fmt.Errorf("divergences.yaml: %w", err)
	}
	names := map[string]bool{}
	for i := range list {
		if err := list[i].complete(); err != nil {
			return nil, fmt.Errorf("divergences.yaml: %s: %w", list[i].Name, err)
		}
		if names[list[i].Name] {
			return nil, fmt.Errorf("divergences.yaml: %s is there twice", list[i].Name)
		}
		names[list[i].Name] = true
	}
	return list, nil
}

func (d *divergence) complete() error {
	if d.Name == "" || d.Reason == "" {
		return errors.New("name and reason are needed")
	}
	if (d.Field != "") == (d.Refused != "") {
		return errors.New("exactly one of field and refused is needed")
	}
	if !slices.Contains([]string{"", "kubectl", "ours", "both"}, d.Refused) {
		return errors.New("refused must be kubectl, ours or both")
	}
	for _, pattern := range []struct {
		text     string
		compiled **regexp.Regexp
	}{{whole(d.Field), &d.field}, {whole(d.Kubectl), &d.kubectl}, {whole(d.Ours), &d.ours}, {d.Message, &d.message}} {
		var err error
		if *pattern.compiled, err = regexp.Compile(pattern.text); err != nil {
			return err
		}
	}
	return nil
}

// whole makes a pattern match the whole of a text; an empty one matches any text.
func whole(pattern string) string {
	if pattern == "" {
		return ""
	}
	return "^(" + pattern + ")$"
}

func (d *divergence) matches(shape string, difference difference) bool {
	return d.Field != "" && (d.Shape == "" || d.Shape == shape) && d.field.MatchString(difference.Field) &&
		d.kubectl.MatchString(oneLine(difference.Kubectl)) && d.ours.MatchString(oneLine(difference.Ours))
}

func (d *divergence) matchesRefusal(shape, by, message string) bool {
	return d.Refused == by && (d.Shape == "" || d.Shape == shape) && d.message.MatchString(message)
}

// listing returns the name of the divergence that a difference in a shape's case is, or "" if it is on no list.
func listing(list []divergence, shape string, found difference) string {
	for i := range list {
		if list[i].matches(shape, found) {
			return list[i].Name
		}
	}
	return ""
}

// listingOfRefusal returns the name of the divergence that a refusal of a shape's case is, or "" if it is on no list.
func listingOfRefusal(list []divergence, shape, by, message string) string {
	for i := range list {
		if list[i].matchesRefusal(shape, by, message) {
			return list[i].Name
		}
	}
	return ""
}
