package integration

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// fields are what a test sets in a manifest, by path: nil removes.
type fields map[string]any

// manifest is a session as somebody writes it, with these fields of its spec set.
func manifest(namespace, name string, options []fixture.SessionOption, set fields) *unstructured.Unstructured {
	GinkgoHelper()
	session := asked(namespace, name, options...)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(session)
	Expect(err).NotTo(HaveOccurred())
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DebugSession"))
	unstructured.RemoveNestedField(object.Object, "status")
	object.SetCreationTimestamp(session.CreationTimestamp)
	for path, value := range set {
		at := append([]string{"spec"}, strings.Split(path, ".")...)
		if value == nil {
			unstructured.RemoveNestedField(object.Object, at...)
		} else {
			Expect(unstructured.SetNestedField(object.Object, value, at...)).To(Succeed())
		}
	}
	return object
}

// asked is a session that a user writes, of a class that allows everything unless an option says another.
func asked(namespace, name string, options ...fixture.SessionOption) *v1alpha1.DebugSession {
	ofClass := func(s *v1alpha1.DebugSession) { s.Spec.ClassName = anything }
	return fixture.Session(append([]fixture.SessionOption{fixture.Unsent(namespace, name), ofClass}, options...)...)
}

// anything is a class that allows everything.
const anything = "anything"

func createAnything(ctx context.Context) {
	GinkgoHelper()
	class := fixture.Class()
	class.ObjectMeta.Reset()
	class.Name = anything
	Expect(client.IgnoreAlreadyExists(k8s.Create(ctx, class))).To(Succeed())
}

func long(n int) string { return strings.Repeat("a", n) }

func items(n int) []any {
	var all []any
	for range n {
		all = append(all, "x")
	}
	return all
}

func mount(volume string, more map[string]any) []any {
	m := map[string]any{"name": volume, "mountPath": "/mnt"}
	for key, value := range more {
		m[key] = value
	}
	return []any{m}
}

var _ = Describe("the API", Ordered, ContinueOnFailure, func() {
	var namespace string
	copyMode := []fixture.SessionOption{fixture.AsCopy()}
	onNode := []fixture.SessionOption{func(s *v1alpha1.DebugSession) {
		s.Spec.Mode, s.Spec.Target = v1alpha1.ModeNode, v1alpha1.Target{NodeName: "node-1"}
	}}
	ofClaim, ofImage := []fixture.SessionOption{fixture.OfClaim("data")}, []fixture.SessionOption{fixture.OfImage("server:v1")}
	named := func(name string) map[string]any { return map[string]any{"name": name} }

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
	})

	send := func(ctx context.Context, options []fixture.SessionOption, set fields) error {
		return k8s.Create(ctx, manifest(namespace, "hang", options, set), client.DryRunAll)
	}

	DescribeTable("accepts", func(ctx SpecContext, options []fixture.SessionOption, set fields) {
		Expect(send(ctx, options, set)).To(Succeed())
	},
		Entry("the least", nil, nil),
		Entry("a pod's name of 253 characters", nil, fields{"target.podName": long(253)}),
		Entry("a pod's name with dots", nil, fields{"target.podName": "web.0.a"}),
		Entry("a container of 63 characters", nil, fields{"target.container": long(63)}),
		Entry("a workload", nil, fields{"target": map[string]any{"workload": map[string]any{"kind": "Deployment", "name": "web"}}}),
		Entry("a selector", nil, fields{"target": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": "web"}}}}),
		Entry("a selector by expression", nil, fields{"target": map[string]any{"selector": map[string]any{"matchExpressions": []any{
			map[string]any{"key": "app", "operator": "Exists"}}}}}),
		Entry("pick, of a selector", nil,
			fields{"target": map[string]any{"pick": "Oldest", "selector": map[string]any{"matchLabels": map[string]any{"app": "web"}}}}),
		Entry("the shortest ttl", nil, fields{"ttl": "10s"}),
		Entry("the longest ttl", nil, fields{"ttl": "24h"}),
		Entry("a ttl in parts", nil, fields{"ttl": "1h30m10s"}),
		Entry("a ttl in seconds", nil, fields{"ttl": "86400s"}),
		Entry("the shortest idleTimeout", nil, fields{"idleTimeout": "30s"}),
		Entry("the longest idleTimeout", nil, fields{"idleTimeout": "24h"}),
		Entry("notAfter in the past", nil, fields{"notAfter": "2020-01-01T00:00:00Z"}),
		Entry("end from the first", nil, fields{"end": true}),
		Entry("a reason of 1,024 characters", nil, fields{"reason": long(1024)}),
		Entry("an image by digest", nil, fields{"debugger.image": "registry.example:5000/a/b@sha256:" + strings.Repeat("0", 64)}),
		Entry("64 words of command", nil, fields{"debugger.command": items(64)}),
		Entry("a word of 4,096 characters", nil, fields{"debugger.command": []any{long(4096)}}),
		Entry("neither stdin nor tty", nil, fields{"debugger.stdin": nil, "debugger.tty": nil}),
		Entry("a volume", nil, fields{"debugger.volumeMounts": mount("data", nil)}),
		Entry("a subPath, in a copy", copyMode, fields{"debugger.volumeMounts": mount("data", map[string]any{"subPath": "a"})}),
		Entry("resources, in a copy", copyMode, fields{"debugger.resources": map[string]any{"limits": map[string]any{"cpu": "1"}}}),
		Entry("a copy that keeps nothing", copyMode, fields{"podCopy.keep": []any{}}),
		Entry("a copy that keeps all", copyMode,
			fields{"podCopy.keep": []any{"Labels", "Annotations", "LivenessProbe", "ReadinessProbe", "StartupProbe", "InitContainers"}}),
		Entry("a copy's name of 253 characters", copyMode, fields{"podCopy.name": long(253)}),
		Entry("a change of all images", copyMode, fields{"podCopy.containers": []any{map[string]any{"name": "*", "image": "x"}}}),
		Entry("a copy that is quiet", copyMode, fields{"podCopy.isolate": true, "podCopy.quiesce": []any{named("*"), named("app")}}),
		Entry("a container that becomes the debugger", copyMode, fields{"debugger.container": "app", "debugger.image": nil}),
		Entry("Secrets to pull with, in a copy", copyMode, fields{"imagePullSecrets": []any{named("tools"), named("a.b")}}),
		Entry("a volume claim", ofClaim, nil),
		Entry("a volume claim, where and how to mount it", ofClaim, fields{"target.volumeClaim": map[string]any{"name": "a.b", "mountPath": "/a/b", "readOnly": false}}),
		Entry("an image, with another command", ofImage,
			fields{"podCopy": map[string]any{"containers": []any{map[string]any{"name": "app", "command": []any{"sh"}}}}}),
		Entry("a container's mounts, as its user", nil, fields{"debugger.mountsFrom": "app", "debugger.runAs": "FromTarget"}),
	)

	DescribeTable("refuses", func(ctx SpecContext, options []fixture.SessionOption, set fields, message string) {
		Expect(send(ctx, options, set)).To(MatchError(ContainSubstring(message)))
	},
		Entry("no target", nil, fields{"target": map[string]any{}}, "name exactly one of podName, workload, selector, nodeName, volumeClaim and image"),
		Entry("two targets", nil, fields{"target.workload": map[string]any{"kind": "Deployment", "name": "web"}},
			"name exactly one of podName, workload, selector, nodeName, volumeClaim and image"),
		Entry("a claim and an image", ofClaim, fields{"target.image": "server:v1"}, "name exactly one of podName, workload"),
		Entry("a claim in no copy", ofClaim, fields{"mode": "EphemeralContainer"}, "volumeClaim and image are only for mode PodCopy"),
		Entry("an image in no copy", ofImage, fields{"mode": "EphemeralContainer"}, "volumeClaim and image are only for mode PodCopy"),
		Entry("a container of a claim", ofClaim, fields{"target.container": "app"}, "a volume claim has no container"),
		Entry("a claim that is none", ofClaim, fields{"target.volumeClaim.name": "Data_1"}, "name must be the name of a PersistentVolumeClaim"),
		Entry("a claim for the root", ofClaim, fields{"target.volumeClaim.mountPath": "//"}, "mountPath must be an absolute path below /"),
		Entry("a claim at no path", ofClaim, fields{"target.volumeClaim.mountPath": "mnt"}, "mountPath must be an absolute path below /"),
		Entry("a claim with other volumes", ofClaim, fields{"debugger.volumeMounts": mount("data", nil)}, "there is no other volume: remove volumeMounts"),
		Entry("a claim's user", ofClaim, fields{"debugger.runAs": "FromTarget"}, "remove container, mountsFrom, runAs and envFromTarget"),
		Entry("a claim's containers", ofClaim, fields{"podCopy": map[string]any{"quiesce": []any{named("*")}}},
			"a volume claim has no containers: remove containers, quiesce and omitContainers"),
		Entry("an image's node", ofImage, fields{"podCopy": map[string]any{"sameNode": true}}, "remove replaceOriginal and sameNode"),
		Entry("a claim to replace", ofClaim, fields{"podCopy": map[string]any{"replaceOriginal": "Always"}}, "remove replaceOriginal and sameNode"),
		Entry("an image with spaces", ofImage, fields{"target.image": "server v1"}, "image must be an image name, such as busybox:1.36, without spaces"),
		Entry("an empty pod's name", nil, fields{"target.podName": ""}, "target.podName"),
		Entry("a pod's name of 254 characters", nil, fields{"target.podName": long(254)}, "target.podName: Too long"),
		Entry("a pod's name that is none", nil, fields{"target.podName": "Web_1"},
			"podName must be the name of a pod: lower case letters, digits, - and ."),
		Entry("a container of 64 characters", nil, fields{"target.container": long(64)}, "target.container: Too long"),
		Entry("a container's name that is none", nil, fields{"target.container": "a.b"},
			"container must be the name of a container: lower case letters, digits and -"),
		Entry("pick, of one pod", nil, fields{"target.pick": "Newest"}, "pick chooses among the pods of a workload or selector"),
		Entry("a pick that is none", nil, fields{"target.pick": "Best"}, "Unsupported value"),
		Entry("an empty selector", nil, fields{"target": map[string]any{"selector": map[string]any{}}},
			"an empty selector would select every pod: name at least one label"),
		Entry("a selector of no labels", nil, fields{"target": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{}}}},
			"an empty selector would select every pod"),
		Entry("a workload without a kind", nil, fields{"target": map[string]any{"workload": map[string]any{"name": "web"}}},
			"target.workload.kind: Required value"),
		Entry("a mode that is none", nil, fields{"mode": "Exec"}, "Unsupported value"),
		Entry("a profile that is none", nil, fields{"profile": "root"}, "Unsupported value"),
		Entry("ttl 0", nil, fields{"ttl": "0s"}, "ttl must be a duration from 10s to 24h, such as 90s, 30m or 1h30m"),
		Entry("ttl 0, without a unit", nil, fields{"ttl": "0"}, "ttl must be a duration from 10s to 24h"),
		Entry("an empty ttl", nil, fields{"ttl": ""}, "ttl must be a duration from 10s to 24h"),
		Entry("a negative ttl", nil, fields{"ttl": "-30m"}, "ttl must be a duration from 10s to 24h"),
		Entry("a ttl that is none", nil, fields{"ttl": "soon"}, "ttl must be a duration from 10s to 24h"),
		Entry("a ttl in days", nil, fields{"ttl": "1d"}, "ttl must be a duration from 10s to 24h"),
		Entry("a ttl in fractions", nil, fields{"ttl": "1.5h"}, "ttl must be a duration from 10s to 24h"),
		Entry("a ttl of 10 years", nil, fields{"ttl": "87600h"}, "ttl must be a duration from 10s to 24h"),
		Entry("a ttl too short by a second", nil, fields{"ttl": "9s"}, "ttl must be a duration from 10s to 24h"),
		Entry("a ttl too long by a second", nil, fields{"ttl": "24h1s"}, "ttl must be a duration from 10s to 24h"),
		Entry("a ttl of many digits", nil, fields{"ttl": "99999999999999999999s"}, "ttl: Too long"),
		Entry("a ttl that is a number", nil, fields{"ttl": int64(30)}, "ttl"),
		Entry("an idleTimeout too short by a second", nil, fields{"idleTimeout": "29s"},
			"idleTimeout must be a duration from 30s to 24h, such as 15m"),
		Entry("an idleTimeout too long by a second", nil, fields{"idleTimeout": "24h1s"}, "idleTimeout must be a duration from 30s to 24h"),
		Entry("an idleTimeout in fractions", nil, fields{"idleTimeout": "1.5h"}, "idleTimeout must be a duration from 30s to 24h"),
		Entry("an idleTimeout without a terminal", nil, fields{"idleTimeout": "15m", "debugger.tty": nil},
			"idleTimeout needs a terminal to detect use: set debugger.tty and debugger.stdin to true, or remove it"),
		Entry("an idleTimeout of a copy", copyMode, fields{"idleTimeout": "15m"},
			"idleTimeout is only for mode EphemeralContainer: other modes cannot detect use; remove it"),
		Entry("an idleTimeout of a node", onNode, fields{"idleTimeout": "15m"}, "idleTimeout is only for mode EphemeralContainer"),
		Entry("an idleTimeout of what is unstoppable", nil, fields{"idleTimeout": "15m", "debugger.unstoppable": true},
			"idleTimeout cannot be combined with unstoppable: nothing can stop such a debugger; remove one of them"),
		Entry("a notAfter that is none", nil, fields{"notAfter": "tomorrow"}, "notAfter"),
		Entry("a reason of 1,025 characters", nil, fields{"reason": long(1025)}, "reason: Too long"),
		Entry("Secrets to pull with, in an ephemeral container", nil, fields{"imagePullSecrets": []any{named("tools")}},
			"imagePullSecrets is not for mode EphemeralContainer: such a container is pulled with the imagePullSecrets of its pod, which cannot be changed"),
		Entry("a Secret to pull with whose name is none", copyMode, fields{"imagePullSecrets": []any{named("A")}},
			"name must be the name of a Secret: lower case letters, digits, - and ."),
		Entry("a Secret to pull with twice", copyMode, fields{"imagePullSecrets": []any{named("tools"), named("tools")}}, "Duplicate value"),
		Entry("an image with spaces", nil, fields{"debugger.image": "busybox 1.36"},
			"image must be an image name, such as busybox:1.36, without spaces"),
		Entry("an image with a line break", nil, fields{"debugger.image": "busybox\n"}, "image must be an image name"),
		Entry("an image of 1,025 characters", nil, fields{"debugger.image": long(1025)}, "debugger.image: Too long"),
		Entry("65 words of command", nil, fields{"debugger.command": items(65)}, "debugger.command: Too many"),
		Entry("65 args", nil, fields{"debugger.args": items(65)}, "debugger.args: Too many"),
		Entry("a word of 4,097 characters", nil, fields{"debugger.command": []any{long(4097)}}, "debugger.command[0]: Too long"),
		Entry("tty without stdin", nil, fields{"debugger.stdin": nil}, "tty needs stdin: set stdin: true, or remove tty"),
		Entry("stdinOnce without stdin", nil, fields{"debugger.stdin": nil, "debugger.tty": nil, "debugger.stdinOnce": true},
			"stdinOnce needs stdin: set stdin: true, or remove stdinOnce"),
		Entry("a pull policy that is none", nil, fields{"debugger.imagePullPolicy": "Sometimes"}, "Unsupported value"),
		Entry("a termination message policy that is none", nil, fields{"debugger.terminationMessagePolicy": "Log"}, "Unsupported value"),
		Entry("two mounts at one path", nil, fields{"debugger.volumeMounts": append(mount("a", nil), mount("b", nil)...)},
			"Duplicate value"),
		Entry("a subPath, in an ephemeral container", nil, fields{"debugger.volumeMounts": mount("data", map[string]any{"subPath": "a"})},
			"subPath and subPathExpr are not for mode EphemeralContainer"),
		Entry("a subPathExpr, in an ephemeral container", nil,
			fields{"debugger.volumeMounts": mount("data", map[string]any{"subPathExpr": "$(A)"})},
			"subPath and subPathExpr are not for mode EphemeralContainer"),
		Entry("resources, in an ephemeral container", nil,
			fields{"debugger.resources": map[string]any{"limits": map[string]any{"cpu": "1"}}},
			"resources is not for mode EphemeralContainer: Kubernetes allows none on an ephemeral container"),
		Entry("unstoppable, in a copy", copyMode, fields{"debugger.unstoppable": true}, "unstoppable is only for mode EphemeralContainer"),
		Entry("unstoppable, of a class that does not allow it", nil, fields{"debugger.unstoppable": true},
			`class "anything": spec.debugger.unstoppable: a debugger that cannot be stopped is not allowed`),
		Entry("podCopy, in an ephemeral container", nil, fields{"podCopy": map[string]any{"sameNode": true}},
			"podCopy is only for mode PodCopy: remove it, or set mode: PodCopy"),
		Entry("a copy's name that is none", copyMode, fields{"podCopy.name": "A"},
			"name must be a pod's name: lower case letters, digits, - and ."),
		Entry("a copy's name of 254 characters", copyMode, fields{"podCopy.name": long(254)}, "podCopy.name: Too long"),
		Entry("keeping what there is not", copyMode, fields{"podCopy.keep": []any{"Everything"}}, "Unsupported value"),
		Entry("a node, in an ephemeral container", nil, fields{"target": map[string]any{"nodeName": "node-1"}},
			"and no other mode allows nodeName or podNamespace"),
		Entry("a pod, in mode Node", onNode, fields{"target": map[string]any{"podName": "web"}}, "mode Node requires target.nodeName"),
		Entry("a node's container", onNode, fields{"target.container": "app"}, "a node has no container: remove container"),
		Entry("a node's mounts", onNode, fields{"debugger.mountsFrom": "app"},
			"mountsFrom is not for mode Node: a node has no containers; remove it"),
		Entry("a node's user", onNode, fields{"debugger.runAs": "FromTarget"},
			"runAs is not for mode Node: a node has no user to take; set securityContext.runAsUser instead"),
		Entry("two users", nil, fields{"debugger.runAs": "FromTarget", "debugger.securityContext": map[string]any{"runAsUser": int64(1)}},
			"runAs already sets the user: remove it, or remove runAsUser and runAsGroup from securityContext"),
		Entry("a node's environment", onNode, fields{"debugger.envFromTarget": true},
			"envFromTarget is not for mode Node: a node has no container whose environment it could be; remove it"),
		Entry("the environment of another, in a container that becomes the debugger", copyMode,
			fields{"debugger.container": "app", "debugger.envFromTarget": true},
			"the container that becomes the debugger keeps its own environment: remove envFromTarget, or remove container"),
		Entry("a user that is none", nil, fields{"debugger.runAs": "Root"}, "Unsupported value"),
		Entry("a container that becomes the debugger, in the running pod", nil, fields{"debugger.container": "app"},
			"container is only for mode PodCopy: an ephemeral container is always a new one; remove it, or set mode: PodCopy"),
		Entry("a debugger that sleeps", copyMode, fields{"debugger.container": "app", "podCopy.quiesce": []any{named("app")}},
			"the debugger cannot sleep: remove its entry in quiesce, or name another debugger.container"),
		Entry("a sleeper with a command", copyMode, fields{
			"podCopy.quiesce":    []any{named("app")},
			"podCopy.containers": []any{map[string]any{"name": "app", "command": []any{"x"}}},
		},
			"a container that sleeps runs nothing else: remove its entry in quiesce, or command and args in containers"),
		Entry("sleeping with what there is not", copyMode, fields{"podCopy.quiesce": []any{map[string]any{"name": "app", "with": "Pause"}}},
			"Unsupported value"),
		Entry("one cut off that has the target's labels", copyMode, fields{"podCopy.isolate": true, "podCopy.keep": []any{"Labels"}},
			"with the target's labels the copy has the target's network policies too, which may allow what isolate forbids: "+
				"remove Labels from keep, or remove isolate"),
		Entry("replacing what there is not", copyMode, fields{"podCopy.replaceOriginal": "Yes"}, "Unsupported value"),
		Entry("keeping something twice", copyMode, fields{"podCopy.keep": []any{"Labels", "Labels"}}, "Duplicate value"),
		Entry("a change of nothing", copyMode, fields{"podCopy.containers": []any{map[string]any{"name": "app"}}},
			"a change must change something: set image, command, args, env or resources"),
		Entry("a change of all commands", copyMode,
			fields{"podCopy.containers": []any{map[string]any{"name": "*", "command": []any{"sh"}}}},
			"only image can be changed for all containers at once: name one container to change more"),
		Entry("a change of a container's name that is none", copyMode,
			fields{"podCopy.containers": []any{map[string]any{"name": "a b", "image": "x"}}}, "name must be the name of a container, or *"),
		Entry("two changes of one container", copyMode, fields{
			"podCopy.containers": []any{map[string]any{"name": "a", "image": "x"}, map[string]any{"name": "a", "image": "y"}},
		}, "Duplicate value"),
	)

	It("takes a name of 253 characters", func(ctx SpecContext) {
		Expect(k8s.Create(ctx, manifest(namespace, long(253), nil, nil), client.DryRunAll)).To(Succeed())
	})

	It("refuses fields that it does not know, to who asks for that", func(ctx SpecContext) {
		object := manifest(namespace, "hang", nil, fields{"debuger": "sh"})
		Expect(k8s.Create(ctx, object, client.DryRunAll, client.FieldValidation("Strict"))).
			To(MatchError(ContainSubstring(`unknown field "spec.debuger"`)))
	})

	It("fills in what was left out", func(ctx SpecContext) {
		session := asked(namespace, "hang")
		session.Spec.Mode, session.Spec.Profile = "", ""
		Expect(k8s.Create(ctx, session, client.DryRunAll)).To(Succeed())
		Expect(session.Spec.Mode).To(Equal(v1alpha1.ModeEphemeralContainer))
		Expect(session.Spec.PodCopy).To(BeNil())

		object := manifest(namespace, "hang", copyMode, fields{"podCopy": map[string]any{}})
		Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		podCopy, _, err := unstructured.NestedMap(object.Object, "spec", "podCopy")
		Expect(err).NotTo(HaveOccurred())
		Expect(podCopy).To(Equal(map[string]any{"shareProcesses": true, "keep": []any{"InitContainers"}}))

		object = manifest(namespace, "hang", copyMode, fields{"podCopy": map[string]any{"shareProcesses": false, "keep": []any{}}})
		Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		podCopy, _, err = unstructured.NestedMap(object.Object, "spec", "podCopy")
		Expect(err).NotTo(HaveOccurred())
		Expect(podCopy).To(Equal(map[string]any{"shareProcesses": false, "keep": []any{}}))
	})

	Describe("of a session that exists", func() {
		there := func(ctx context.Context, options ...fixture.SessionOption) *unstructured.Unstructured {
			GinkgoHelper()
			session := asked(namespace, "", options...)
			session.GenerateName = "hang-"
			session.Spec.Target.PodName, session.Spec.Reason = "nobody", "INC-1"
			Expect(k8s.Create(ctx, session)).To(Succeed())
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("DebugSession"))
			object.SetNamespace(namespace)
			object.SetName(session.Name)
			return object
		}
		patched := func(ctx context.Context, object *unstructured.Unstructured, spec string) error {
			return k8s.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(`{"spec":`+spec+`}`)), client.DryRunAll)
		}

		DescribeTable("lets one change", func(ctx SpecContext, spec string) {
			Expect(patched(ctx, there(ctx), spec)).To(Succeed())
		},
			Entry("ttl", `{"ttl":"2h"}`),
			Entry("end", `{"end":true}`),
			Entry("nothing", `{"mode":"EphemeralContainer"}`),
		)

		DescribeTable("lets nobody change", func(ctx SpecContext, spec, message string) {
			Expect(patched(ctx, there(ctx, fixture.AsCopy()), spec)).To(MatchError(ContainSubstring(message)))
		},
			Entry("reason", `{"reason":"INC-2"}`, "reason cannot be changed: it is part of the record; apply a new session"),
			Entry("reason, by removing it", `{"reason":null}`, "reason cannot be changed"),
			Entry("target", `{"target":{"podName":"another"}}`, "target cannot be changed: only ttl and end can; apply a new session"),
			Entry("idleTimeout", `{"idleTimeout":"15m"}`, "idleTimeout cannot be changed: only ttl and end can; apply a new session"),
			Entry("mode", `{"mode":"EphemeralContainer","podCopy":null}`,
				"mode cannot be changed: only ttl and end can; apply a new session"),
			Entry("profile", `{"profile":"sysadmin"}`, "profile cannot be changed: only ttl and end can; apply a new session"),
			Entry("debugger", `{"debugger":{"image":"evil"}}`, "debugger cannot be changed: only ttl and end can; apply a new session"),
			Entry("podCopy", `{"podCopy":{"sameNode":true}}`, "podCopy cannot be changed: only ttl and end can; apply a new session"),
			Entry("podCopy, by removing it", `{"podCopy":null}`, "podCopy cannot be changed"),
			Entry("imagePullSecrets", `{"imagePullSecrets":[{"name":"tools"}]}`,
				"imagePullSecrets cannot be changed: only ttl and end can; apply a new session"),
			Entry("notAfter", `{"notAfter":"2099-01-01T00:00:00Z"}`,
				"notAfter cannot be changed: only ttl and end can; apply a new session"),
			Entry("className", `{"className":"standard"}`, "className cannot be changed: only ttl and end can; apply a new session"),
			Entry("access", `{"access":{"subjects":[{"kind":"Group","name":"sre"}]}}`,
				"access cannot be changed: only ttl and end can; apply a new session"),
			Entry("ttl, to what it cannot be", `{"ttl":"10y"}`, "ttl must be a duration from 10s to 24h"),
		)
	})
})
