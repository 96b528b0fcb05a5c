package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The shapes' names of made-up cases. Two are those of files, since what may differ in their cases may differ in these.
const (
	madeUpName      = "random"
	existingName    = "existing"
	onlyChangedName = "only-changed"
)

// madeUp returns n made-up cases, each with a pod of its own. The same seed makes the same ones.
func madeUp(seed uint64, n int) []shape {
	var shapes []shape
	for i := range n {
		d := dice{rand.New(rand.NewPCG(seed, uint64(i)))}
		if d.chance(8) {
			c := d.debuggingNode()
			c.Name = fmt.Sprint("case-", i)
			shapes = append(shapes, shape{Name: madeUpName, Objects: classes(), Node: &corev1.Node{}, Cases: []testCase{c}})
			continue
		}
		pod := d.pod()
		name, c := d.debugging(&pod)
		c.Name = fmt.Sprint("case-", i)
		shapes = append(shapes, shape{Name: name, Objects: classes(), Pod: pod, Cases: []testCase{c}})
	}
	return shapes
}

// dice makes choices.
type dice struct{ *rand.Rand }

// chance is true once in n times.
func (d dice) chance(n int) bool { return d.IntN(n) == 0 }

func one[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// some returns between none and all of the given, in their order.
func some[T any](d dice, from ...T) []T {
	return slices.DeleteFunc(slices.Clone(from), func(T) bool { return d.chance(2) })
}

// invocation is one way to debug, said twice: to kubectl, and in a session.
type invocation struct {
	kubectl  []string
	custom   map[string]any
	session  map[string]any
	debugger map[string]any
	podCopy  map[string]any
}

// both says something of the debugger's container that kubectl has no flag for.
func (v *invocation) both(field string, value any) {
	v.custom[field] = value
	v.debugger[field] = value
}

func newInvocation() *invocation {
	return &invocation{
		kubectl:  []string{"--image=busybox"},
		custom:   map[string]any{},
		session:  map[string]any{},
		debugger: map[string]any{"image": "busybox"},
		podCopy:  map[string]any{},
	}
}

func (d dice) debuggingNode() testCase {
	v := newInvocation()
	v.session["mode"] = "Node"
	d.profile(v)
	d.debuggerOptions(v, &podShape{}, true)
	d.command(v, true)
	return v.testCase()
}

func (d dice) debugging(pod *podShape) (name string, _ testCase) {
	v := newInvocation()
	isCopy := d.chance(2)
	if isCopy && pod.Spec.OS == nil {
		switch d.IntN(5) {
		case 0:
			return existingName, d.takingOver(v, pod)
		case 1:
			return onlyChangedName, d.onlyChanging(v, pod)
		}
	}
	if isCopy {
		v.session["mode"] = "PodCopy"
		v.kubectl = append(v.kubectl, "--copy-to=copy")
		d.copyOptions(v, pod)
	} else if joinable := containerNames(pod)[:len(pod.Spec.Containers)+len(pod.Spec.InitContainers)]; !d.chance(6) {
		container := one(d, joinable...)
		v.session["target"] = map[string]any{"container": container}
		v.kubectl = append(v.kubectl, "--target="+container)
	}
	d.profile(v)
	d.debuggerOptions(v, pod, isCopy)
	d.command(v, isCopy) // last, since nothing may follow it
	return madeUpName, v.testCase()
}

// takingOver makes a container that the pod has the debugger of a copy.
func (d dice) takingOver(v *invocation, pod *podShape) testCase {
	container := one(d, containerNames(pod)[:len(pod.Spec.Containers)]...)
	v.session["mode"], v.debugger["container"] = "PodCopy", container
	v.kubectl = append(v.kubectl, "--copy-to=copy", "--container="+container)
	d.copyOptions(v, pod)
	d.profile(v)
	d.debuggerOptions(v, pod, false)
	d.command(v, true)
	if slices.Contains(v.kubectl, "--") && d.chance(2) { // it keeps its own image; kubectl asks for one or for words
		v.kubectl = v.kubectl[1:]
		delete(v.debugger, "image")
	}
	return v.testCase()
}

// onlyChanging changes images in a copy to which no debugger is added.
func (d dice) onlyChanging(v *invocation, pod *podShape) testCase {
	v.kubectl = []string{"--copy-to=copy", "--set-image=" + pod.Spec.Containers[0].Name + "=debug:1"}
	v.session["mode"] = "PodCopy"
	d.keeping(v)
	v.podCopy["containers"] = []any{map[string]any{"name": pod.Spec.Containers[0].Name, "image": "debug:1"}}
	v.debugger = nil
	return v.testCase()
}

func (d dice) profile(v *invocation) {
	if profile := one(d, "", "general", "baseline", "restricted", "netadmin", "sysadmin", "legacy"); profile != "" {
		v.session["profile"] = profile
		v.kubectl = append(v.kubectl, "--profile="+profile)
	}
}

// testCase is the invocation as a file would have it, having been written and read.
func (v *invocation) testCase() testCase {
	if v.debugger != nil {
		v.session["debugger"] = v.debugger
	}
	if len(v.podCopy) > 0 {
		v.session["podCopy"] = v.podCopy
	}
	said := map[string]any{"kubectl": v.kubectl, "session": v.session}
	if len(v.custom) > 0 {
		said["custom"] = v.custom
	}
	c := testCase{}
	data, err := json.Marshal(said)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		panic(err) // cannot be: these are maps and lists of strings, numbers and booleans
	}
	return c
}

// copyOptions chooses how the copy is made.
func (d dice) copyOptions(v *invocation, pod *podShape) {
	d.keeping(v)
	if d.chance(3) {
		d.changingImages(v, pod)
	}
}

// keeping chooses what the copy has of its target, and where it runs.
func (d dice) keeping(v *invocation) {
	if d.chance(2) {
		keep := []any{}
		for _, option := range [][2]string{{"Labels", "labels"}, {"Annotations", "annotations"}, {"LivenessProbe", "liveness"},
			{"ReadinessProbe", "readiness"}, {"StartupProbe", "startup"}, {"InitContainers", "init-containers"}} {
			kept := d.chance(2)
			if kept {
				keep = append(keep, option[0])
			}
			v.kubectl = append(v.kubectl, fmt.Sprintf("--keep-%s=%v", option[1], kept))
		}
		v.podCopy["keep"] = keep
	}
	if d.chance(2) {
		share := d.chance(2)
		v.podCopy["shareProcesses"] = share
		v.kubectl = append(v.kubectl, fmt.Sprintf("--share-processes=%v", share))
	}
	if d.chance(3) {
		v.podCopy["sameNode"] = true
		v.kubectl = append(v.kubectl, "--same-node")
	}
}

func (d dice) changingImages(v *invocation, pod *podShape) {
	var changes []any
	var images []string
	names := []string{"*"}
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	for _, name := range some(d, names...) {
		image := "debug:" + strings.Trim(name, "*")
		if name == "*" {
			image = "all:latest"
		}
		changes = append(changes, map[string]any{"name": name, "image": image})
		images = append(images, name+"="+image)
	}
	if len(changes) > 0 {
		v.podCopy["containers"] = changes
		v.kubectl = append(v.kubectl, "--set-image="+strings.Join(images, ","))
	}
}

// debuggerOptions chooses the fields of the debugger's container.
func (d dice) debuggerOptions(v *invocation, pod *podShape, ownPod bool) {
	if d.chance(3) {
		v.debugger["env"] = []any{map[string]any{"name": "LEVEL", "value": "debug"}}
		v.kubectl = append(v.kubectl, "--env=LEVEL=debug")
	}
	if d.chance(3) {
		policy := one(d, "Always", "IfNotPresent", "Never")
		v.debugger["imagePullPolicy"] = policy
		v.kubectl = append(v.kubectl, "--image-pull-policy="+policy)
	}
	if d.chance(2) {
		if context := d.linuxContext(); len(context) > 0 && pod.Spec.OS == nil {
			v.both("securityContext", context)
		}
	}
	if d.chance(4) && len(pod.Spec.Volumes) > 0 {
		v.both("volumeMounts", []any{map[string]any{"name": one(d, pod.Spec.Volumes...).Name, "mountPath": "/mnt", "readOnly": true}})
	}
	if d.chance(5) {
		v.both("workingDir", "/tmp")
	}
	if d.chance(5) {
		v.both("terminationMessagePolicy", "FallbackToLogsOnError")
	}
	if d.chance(5) {
		v.both("envFrom", []any{map[string]any{"configMapRef": map[string]any{"name": "settings"}}})
	}
	if ownPod && d.chance(4) {
		v.both("resources", map[string]any{"requests": map[string]any{"cpu": "100m"}, "limits": map[string]any{"cpu": "200m"}})
	}
	if d.chance(2) {
		v.debugger["stdin"] = true
		v.kubectl = append(v.kubectl, "--stdin")
		if d.chance(2) {
			v.debugger["tty"] = true
			v.kubectl = append(v.kubectl, "--tty")
		}
	}
}

// command chooses what the debugger runs.
func (d dice) command(v *invocation, mayBeArguments bool) {
	words := []string{"sh", "-c", "echo $HOME"}
	switch d.IntN(3) {
	case 0:
		v.debugger["command"] = words
		v.kubectl = append(append(v.kubectl, "--"), words...)
	case 1:
		if !mayBeArguments { // which a session refuses, as a case of its own shows
			return
		}
		v.debugger["args"] = words
		v.kubectl = append(append(v.kubectl, "--arguments-only", "--"), words...)
	}
}
