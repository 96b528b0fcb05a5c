package command

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// elsewhere are cases whose session says in other words what a command says.
var elsewhere = map[string]bool{
	"kept/ephemeral-joins-annotated-container": true, // the pod's annotation names the container
	"only-changed/same-as-kept":                true, // kubectl debug --set-image alone keeps what it was told to leave out
}

// The conformance cases tell what a session must be to do what a kubectl debug command does, and that it does: from-debug must come
// to the same, but for what only a session can say.
func TestFromDebugAsTheConformanceCasesSay(t *testing.T) {
	files, err := filepath.Glob("../../../test/conformance/cases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no conformance cases", err)
	}
	compared := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var shape struct {
			Pod   corev1.Pod
			Node  map[string]any
			Cases []struct {
				Name       string
				Kubectl    []string
				Custom     json.RawMessage
				Session    json.RawMessage
				BothRefuse bool
			}
		}
		if err := yaml.Unmarshal(text, &shape); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range shape.Cases {
			if c.BothRefuse || elsewhere[strings.TrimSuffix(filepath.Base(file), ".yaml")+"/"+c.Name] {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml")+"/"+c.Name, func(t *testing.T) {
				target := "target"
				if shape.Node != nil {
					target = "node/target"
				}
				args := append([]string{"kubectl", "debug", target}, c.Kubectl...)
				if len(c.Custom) > 0 {
					path := filepath.Join(t.TempDir(), "custom.json")
					if err := os.WriteFile(path, c.Custom, 0o600); err != nil {
						t.Fatal(err)
					}
					args = append(args[:3:3], append([]string{"--custom", path}, args[3:]...)...)
				}
				var want v1alpha1.DebugSessionSpec
				if err := json.Unmarshal(c.Session, &want); err != nil {
					t.Fatal(err)
				}
				got := specOf(t, args, debugpod.ContainerNames(&shape.Pod))
				if diff := cmp.Diff(asDefaulted(&want, shape.Pod.Spec.InitContainers),
					asDefaulted(got, shape.Pod.Spec.InitContainers)); diff != "" {
					t.Errorf("%s (-case +from-debug)\n%s", strings.Join(args, " "), diff)
				}
			})
			compared++
		}
	}
	if compared < 20 {
		t.Errorf("only %d cases", compared)
	}
}

func specOf(t *testing.T, args, containers []string) *v1alpha1.DebugSessionSpec {
	t.Helper()
	env := &environment{IOStreams: genericiooptions.IOStreams{Out: &bytes.Buffer{}, ErrOut: &bytes.Buffer{}}, now: time.Now}
	options, _, err := parseDebug(args, env)
	if err != nil {
		t.Fatal(err)
	}
	options.Containers = containers
	session, err := options.Session(nil, "kubectl-debug", env.now())
	if err != nil {
		t.Fatal(err)
	}
	return &session.Spec
}

// asDefaulted is a spec as the API server's defaults leave it, as text.
func asDefaulted(spec *v1alpha1.DebugSessionSpec, initContainers []corev1.Container) string {
	spec.Target.PodName, spec.Target.NodeName = "", ""
	if spec.Mode == "" {
		spec.Mode = v1alpha1.ModeEphemeralContainer
	}
	if spec.Mode == v1alpha1.ModePodCopy && spec.PodCopy == nil {
		spec.PodCopy = &v1alpha1.PodCopy{}
	}
	if copied := spec.PodCopy; copied != nil {
		copied.Name = ""
		if copied.ShareProcesses == nil {
			yes := true
			copied.ShareProcesses = &yes
		}
		if copied.Keep == nil {
			copied.Keep = []v1alpha1.Keep{v1alpha1.KeepInitContainers}
		}
		if len(initContainers) == 0 {
			copied.Keep = slices.DeleteFunc(copied.Keep, func(k v1alpha1.Keep) bool { return k == v1alpha1.KeepInitContainers })
		}
		slices.SortFunc(copied.Containers, func(a, b v1alpha1.ContainerChange) int { return strings.Compare(a.Name, b.Name) })
	}
	text, err := yaml.Marshal(spec)
	if err != nil {
		panic(err)
	}
	return string(text)
}
