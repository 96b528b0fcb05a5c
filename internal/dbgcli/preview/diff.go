// Package preview shows what a session would change, for whoever is asked to approve it. It is pure.
package preview

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/debugpod"
)

// Diff is what would become of a pod, as a unified diff: of the target and the same with a debugger, or of the target and its copy.
// The target is nil where it cannot be read, or is a node; all that would be made is then shown as added. The values that the preview
// hides are hidden in the target, too: shown there, each would seem to change.
func Diff(session *v1alpha1.DebugSession, target *corev1.Pod) (string, error) {
	request := session.Status.Request
	if request == nil || request.Preview == nil {
		return "", fmt.Errorf("session %s has no preview to approve", session.Name)
	}
	before, after, err := sides(session, target, request.Preview.Raw)
	if err != nil {
		return "", err
	}
	from, to := names(session, target)
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(before), B: lines(after), FromFile: from, ToFile: to, Context: 3,
	})
}

func sides(session *v1alpha1.DebugSession, target *corev1.Pod, raw []byte) (before, after string, err error) {
	if target != nil {
		target = bare(target)
		debugpod.HidePodValues(&target.Spec, session)
		if before, err = text(target); err != nil {
			return "", "", err
		}
	}
	if session.Spec.Mode != v1alpha1.ModeEphemeralContainer {
		made := &corev1.Pod{}
		if err := json.Unmarshal(raw, made); err != nil {
			return "", "", fmt.Errorf("reading status.request.preview: %w", err)
		}
		after, err = text(bare(made))
		return before, after, err
	}
	var container corev1.EphemeralContainer
	if err := json.Unmarshal(raw, &container); err != nil {
		return "", "", fmt.Errorf("reading status.request.preview: %w", err)
	}
	with := &corev1.Pod{}
	if target != nil {
		with = target.DeepCopy()
	}
	with.Spec.EphemeralContainers = append(with.Spec.EphemeralContainers, container)
	if target == nil {
		after, err = text(map[string]any{"spec": map[string]any{"ephemeralContainers": []corev1.EphemeralContainer{container}}})
	} else {
		after, err = text(with)
	}
	return before, after, err
}

func names(session *v1alpha1.DebugSession, target *corev1.Pod) (from, to string) {
	found := session.Status.Target
	if found == nil {
		return "nothing", "the debugger"
	}
	return story.Sides(session.Spec.Mode, found, target != nil)
}

// bare is what of a pod somebody wrote.
func bare(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.TypeMeta = metav1.TypeMeta{}
	pod.ManagedFields, pod.UID, pod.ResourceVersion, pod.Generation, pod.GenerateName = nil, "", "", 0, ""
	pod.CreationTimestamp = metav1.Time{}
	pod.Status = corev1.PodStatus{}
	return pod
}

func text(object any) (string, error) {
	asJSON, err := json.Marshal(object)
	if err != nil {
		return "", err
	}
	var fields map[string]any
	if err := json.Unmarshal(asJSON, &fields); err != nil {
		return "", err
	}
	delete(fields, "status")
	out, err := yaml.Marshal(fields)
	return string(out), err
}

// lines are a text's lines with their ends; none of nothing.
func lines(text string) []string {
	return slices.Collect(strings.Lines(text))
}
