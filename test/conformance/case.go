package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// shape is one file: a pod or a node, and the cases that are run on it. The format is explained in README.md.
type shape struct {
	// Name is the file's name without .yaml.
	Name string `json:"-"`

	// Objects are made before the pods, once, such as the PriorityClass that the pod names.
	Objects []unstructured.Unstructured `json:"objects,omitempty"`

	// Pod is the target. It needs no name. It may have ephemeral containers, which are added once it exists.
	Pod corev1.Pod `json:"pod,omitzero"`

	// Node is the target, if it is a node: just one, which may be empty. It needs no name.
	Node *corev1.Node `json:"node,omitempty"`

	// Cases are run each on pods of its own.
	Cases []testCase `json:"cases"`
}

// testCase is a way to debug the pod, twice: as kubectl is told, and as a session says.
type testCase struct {
	// Name is unique in the file: lower case letters, digits and -.
	Name string `json:"name"`

	// Kubectl is what follows "kubectl debug POD" or "kubectl debug node/NODE".
	Kubectl []string `json:"kubectl"`

	// Custom is a partial container, given to kubectl as the file of --custom.
	Custom json.RawMessage `json:"custom,omitempty"`

	// Session is the spec of the DebugSession, without target.podName or target.nodeName.
	Session map[string]any `json:"session"`

	// Listed names the divergences that must show, no more and no fewer. Left out: any on the list may.
	Listed []string `json:"listed,omitempty"`

	// BothRefuse says that neither way works, and that the two say so in different words.
	BothRefuse bool `json:"bothRefuse,omitempty"`

	// declared is whether the case says which divergences must show, if only that none may.
	declared bool
}

var caseName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// loadShapes reads all .yaml files of a folder.
func loadShapes(folder string) ([]shape, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no .yaml file in the folder %s: name one with -cases", folder)
	}
	var shapes []shape
	for _, path := range paths {
		loaded, err := loadShape(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		shapes = append(shapes, *loaded)
	}
	return shapes, nil
}

func loadShape(path string) (*shape, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	data, err = yaml.ToJSON(data)
	if err != nil {
		return nil, err
	}
	loaded := &shape{Name: strings.TrimSuffix(filepath.Base(path), ".yaml")}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(loaded); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one document: put every shape of pod in a file of its own")
	}
	return loaded, loaded.complete()
}

// complete checks what was read, and sets what can be left out.
func (s *shape) complete() error {
	if !caseName.MatchString(s.Name) {
		return fmt.Errorf("the file's name must be of lower case letters, digits and -")
	}
	if s.Node == nil && len(s.Pod.Spec.Containers) == 0 {
		return fmt.Errorf("there is neither a node nor a pod with containers")
	}
	if s.Node != nil && len(s.Pod.Spec.Containers) > 0 {
		return fmt.Errorf("there are both a pod and a node: put each in a file of its own")
	}
	if len(s.Cases) == 0 {
		return fmt.Errorf("cases is empty")
	}
	var names []string
	for i := range s.Cases {
		c := &s.Cases[i]
		switch {
		case !caseName.MatchString(c.Name):
			return fmt.Errorf("cases[%d]: name %q must be of lower case letters, digits and -, at most 63", i, c.Name)
		case slices.Contains(names, c.Name):
			return fmt.Errorf("cases[%d]: name %q is there twice", i, c.Name)
		case len(c.Kubectl) == 0:
			return fmt.Errorf("case %s: kubectl is empty: say what follows \"kubectl debug POD\"", c.Name)
		case len(c.Session) == 0:
			return fmt.Errorf("case %s: session is empty: say what the session's spec is", c.Name)
		}
		c.declared = c.Listed != nil
		names = append(names, c.Name)
	}
	return nil
}

// copyTo is the name that kubectl is told to give the copy, or "" if it is to make none.
func (c *testCase) copyTo() string {
	for i, arg := range c.Kubectl {
		if arg == "--" {
			break
		}
		if name, ok := strings.CutPrefix(arg, "--copy-to="); ok {
			return name
		}
		if arg == "--copy-to" && i+1 < len(c.Kubectl) {
			return c.Kubectl[i+1]
		}
	}
	return ""
}
