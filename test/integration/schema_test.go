package integration

import (
	"context"
	"fmt"
	"slices"

	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// blank is how the API server's answer names no field and no value.
const blank = "<nil>"

// specs are what somebody writes of each kind: sound is what is there before, and is as the others but for what is wrong in them.
var specs = map[string]struct {
	sound string
	wrong map[string]string // by what the answer must have
}{
	"DebugSession": {
		sound: "className: anything, mode: PodCopy, target: {podName: web}, debugger: {image: busybox, command: [sh]}",
		wrong: map[string]string{
			`spec.mode: Unsupported value: "Copy": supported values: "EphemeralContainer", "PodCopy", "Node"`: "className: anything, " +
				"mode: Copy, target: {podName: web}, debugger: {image: busybox}",
			"spec.target: Required value": "className: anything, mode: PodCopy, " +
				"debugger: {image: busybox}",
			"spec.reason: Too long: may not be more than 1024 bytes": "className: anything, mode: PodCopy, target: {podName: web}, " +
				"debugger: {image: busybox}, reason: " + strings.Repeat("a", 1025),
			"spec.debugger.command: Too many: 65": "className: anything, mode: PodCopy, target: {podName: web}, " +
				"debugger: {image: busybox, command: [" + strings.Repeat("sh,", 65) + "]}",
			"spec.end: Invalid value: \"string\"": "className: anything, mode: PodCopy, target: {podName: web}, " +
				"debugger: {image: busybox, command: [sh]}, end: 'yes'",
			"spec.notAfter: Invalid value: \"tomorrow\"": "className: anything, mode: PodCopy, target: {podName: web}, " +
				"debugger: {image: busybox, command: [sh]}, notAfter: tomorrow",
			"spec.debugger.resources.limits.cpu: Invalid value: \"boolean\"": "className: anything, mode: PodCopy, target: " +
				"{podName: web}, " +
				"debugger: {image: busybox, resources: {limits: {cpu: true}}}",
			"spec.podCopy.keep[0]: Unsupported value: \"Everything\"": "className: anything, mode: Copy, target: {workload: {}}, " +
				"debugger: {}, podCopy: {keep: [Everything]}, ttl: 5",
			"spec.debugger: Invalid value: \"string\"": "className: anything, mode: PodCopy, target: {podName: web}, " +
				"debugger: busybox",
		},
	},
	"DebugApproval": {
		sound: "sessionName: hang, decision: Deny",
		wrong: map[string]string{
			`spec.decision: Unsupported value: "Maybe": supported values: "Approve", "Deny"`: "sessionName: hang, decision: Maybe",
			"spec.sessionName: Required value":                                               "decision: Approve",
			"spec.sessionName: Too long": "decision: Perhaps, sessionName: " +
				strings.Repeat("a", 254),
			"spec.ttl: Invalid value: \"integer\"": "sessionName: hang, decision: Deny, ttl: 30",
		},
	},
	"DebugClass": {
		sound: "modes: [PodCopy], profiles: [general], maxTTL: 1h",
		wrong: map[string]string{
			`spec.modes[0]: Unsupported value: "Copy"`:          "modes: [Copy], profiles: [general], maxTTL: 1h",
			"spec.modes: Required value":                        "profiles: [general], maxTTL: 1h",
			"spec.images: Invalid value: \"string\"":            "modes: [PodCopy], profiles: [general], maxTTL: 1h, images: busybox",
			"spec.approval.required: Invalid value: \"string\"": "modes: [Copy], maxTTL: 1, approval: {required: one}",
		},
	},
	"DebugSink": {
		sound: "url: 'https://example.com'",
		wrong: map[string]string{
			`spec.cloudEvents: Unsupported value: "All"`: "url: 'https://example.com', cloudEvents: All",
			"spec.template.body: Required value":         "url: 'https://example.com', template: {contentType: text/plain}",
			"spec.allowHTTP: Invalid value: \"string\"":  "url: 'https://example.com', allowHTTP: 'yes', types: [Everything], timeout: 5",
		},
	},
}

func ofKind(kind, name, namespace, spec string) string {
	meta := "{name: " + name
	if kind == "DebugSession" || kind == "DebugApproval" {
		meta += ", namespace: " + namespace
	}
	return fmt.Sprintf("apiVersion: debugsession.dev/v1alpha1\nkind: %s\nmetadata: %s}\nspec: {%s}\n", kind, meta, spec)
}

var _ = Describe("an object that is not what its schema says", Ordered, ContinueOnFailure, func() {
	var admin *person
	var namespace string

	BeforeAll(func(ctx SpecContext) {
		startOperator(&kubelet{})
		admin = newPerson("admin", "system:masters")
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
		for kind, of := range specs {
			_, stderr, err := kubectl(admin, ofKind(kind, "there", namespace, of.sound), "create", "-f", "-")
			Expect(err).NotTo(HaveOccurred(), stderr)
		}
		DeferCleanup(func(ctx SpecContext) {
			for _, kind := range []client.Object{&v1alpha1.DebugClass{}, &v1alpha1.DebugSink{}} {
				kind.SetName("there")
				Expect(k8s.Delete(ctx, kind)).To(Succeed())
			}
		})
	})

	DescribeTable("is refused without a line that names nothing", func(_ SpecContext, name string, arguments ...string) {
		for kind, of := range specs {
			for says, spec := range of.wrong {
				_, stderr, err := kubectl(admin, ofKind(kind, name, namespace, spec), append(arguments, "-f", "-")...)
				Expect(err).To(HaveOccurred(), "%s: %s", kind, spec)
				Expect(stderr).NotTo(ContainSubstring(blank))
				Expect(stderr).To(HavePrefix(`The ` + kind + ` "` + name + `" is invalid: `))
				Expect(stderr).To(ContainSubstring(says))
			}
		}
	},
		Entry("create", "hang", "create"),
		Entry("replace", "there", "replace"),
	)

	// A merge keeps what is required, and one server side refuses a type before admission: not all are refused, or by admission.
	DescribeTable("is refused without such a line, be there many", func(_ SpecContext, name string, least int, arguments ...string) {
		var all, expected []string
		for kind, of := range specs {
			for says, spec := range of.wrong {
				all, expected = append(all, ofKind(kind, name, namespace, spec)), append(expected, says)
			}
		}
		_, stderr, err := kubectl(admin, strings.Join(all, "---\n"), append(arguments, "-f", "-")...)
		Expect(err).To(HaveOccurred())
		Expect(stderr).NotTo(ContainSubstring(blank))
		said := slices.DeleteFunc(expected, func(says string) bool { return !strings.Contains(stderr, says) })
		Expect(len(said)).To(BeNumerically(">=", least), stderr)
	},
		Entry("create, dry", "hang", 20, "create", "--dry-run=server"),
		Entry("apply", "hang", 20, "apply"),
		Entry("apply, dry", "hang", 20, "apply", "--dry-run=server", "--validate=false"),
		Entry("apply over what is there", "there", 15, "apply"),
		Entry("apply over what is there, dry", "there", 15, "apply", "--dry-run=server"),
		Entry("apply server side", "hang", 10, "apply", "--server-side"),
		Entry("apply server side over what is there, dry", "there", 5, "apply", "--server-side", "--force-conflicts", "--dry-run=server"),
	)

	DescribeTable("is refused as a whole", func(_ SpecContext, kind, spec, want string) {
		_, stderr, err := kubectl(admin, ofKind(kind, "hang", namespace, spec), "apply", "-f", "-")
		Expect(err).To(HaveOccurred())
		// Before Kubernetes 1.35 the type of what a rule refuses stands in place of its value.
		Expect(stderr).To(Or(Equal(want), Equal(strings.Replace(want, `Invalid value: "1d"`, `Invalid value: "string"`, 1))))
	},
		Entry("by one mistake", "DebugSession", "mode: Copy, target: {podName: web}, debugger: {image: busybox}",
			`The DebugSession "hang" is invalid: spec.mode: Unsupported value: "Copy": supported values: `+
				`"EphemeralContainer", "PodCopy", "Node"`+"\n"),
		Entry("by several", "DebugSession", "mode: Copy, debugger: {image: busybox, command: sh}, end: 'yes'",
			`The DebugSession "hang" is invalid: `+"\n"+
				`* spec.debugger.command: Invalid value: "string": spec.debugger.command in body must be of type array: "string"`+"\n"+
				`* spec.end: Invalid value: "string": spec.end in body must be of type boolean: "string"`+"\n"+
				`* spec.mode: Unsupported value: "Copy": supported values: "EphemeralContainer", "PodCopy", "Node"`+"\n"+
				`* spec.target: Required value`+"\n"),
		Entry("of a class", "DebugClass", "modes: [Copy], profiles: [general], maxTTL: 1h",
			`The DebugClass "hang" is invalid: spec.modes[0]: Unsupported value: "Copy": supported values: `+
				`"EphemeralContainer", "PodCopy", "Node"`+"\n"),
		Entry("by what only admission knows", "DebugSession",
			"mode: PodCopy, target: {podName: web}, debugger: {image: busybox}, ttl: 1d, className: anything",
			`The DebugSession "hang" is invalid: spec.ttl: Invalid value: "1d": ttl must be a duration from 10s to 24h, such as 90s, `+
				`30m or 1h30m`+"\n"),
	)

	DescribeTable("is refused as plainly where it has not even what admission looks for", func(_ SpecContext, kind, spec, says string) {
		for name, verb := range map[string]string{"hang": "create", "there": "replace"} {
			head, _, _ := strings.Cut(ofKind(kind, name, namespace, ""), "spec:")
			_, stderr, err := kubectl(admin, head+spec+"\n", verb, "-f", "-")
			Expect(err).To(HaveOccurred())
			Expect(stderr).To(Equal(`The ` + kind + ` "` + name + `" is invalid: ` + says + "\n"))
		}
	},
		Entry("no spec", "DebugSession", "", "spec: Required value"),
		Entry("no spec of an approval", "DebugApproval", "", "spec: Required value"),
		Entry("no spec of a class", "DebugClass", "", "spec: Required value"),
		Entry("a spec that is a list", "DebugSession", "spec: []",
			`spec: Invalid value: "array": spec in body must be of type object: "array"`),
		Entry("a requester that is a word", "DebugSession",
			"spec: {mode: PodCopy, target: {podName: web}, debugger: {image: busybox}, className: anything, requester: alice}",
			`spec.requester: Invalid value: "string": spec.requester in body must be of type object: "string"`),
		Entry("an approver that is a word", "DebugApproval", "spec: {sessionName: hang, decision: Deny, approver: bob}",
			`spec.approver: Invalid value: "string": spec.approver in body must be of type object: "string"`),
	)

	It("names a field that there is not", func() {
		_, stderr, err := kubectl(admin, ofKind("DebugSession", "hang", namespace, "mode: Copy, colour: blue, debugger: {}"),
			"create", "-f", "-")
		Expect(err).To(HaveOccurred())
		Expect(stderr).To(ContainSubstring(`unknown field "spec.colour"`))
		Expect(stderr).NotTo(ContainSubstring(blank))
		_, stderr, err = kubectl(admin, ofKind("DebugSession", "hang", namespace, "mode: Copy, colour: blue, debugger: {}"), "create",
			"--validate=warn", "-f", "-")
		Expect(err).To(HaveOccurred())
		Expect(stderr).To(ContainSubstring(`Warning: unknown field "spec.colour"`))
		Expect(stderr).To(ContainSubstring("spec.target: Required value"))
		Expect(stderr).NotTo(ContainSubstring(blank))
	})

	It("is shown to its editor, in the file", func() {
		GinkgoT().Setenv("KUBE_EDITOR", "sed -i -e 's/^  mode: PodCopy/  mode: Copy/' -e 's/^  ttl: .*/  ttl: 5/'")
		_, stderr, err := kubectl(admin, "", "edit", "debugsession", "there", "-n", namespace)
		Expect(err).To(HaveOccurred())
		Expect(stderr).NotTo(ContainSubstring(blank))
		Expect(stderr).To(ContainSubstring(`debugsessions.debugsession.dev "there" is invalid`))
	})

	It("is refused in the API server's words, but for that line and their order", func(ctx SpecContext) {
		answers := func() map[string][]any {
			all := map[string][]any{}
			for kind, of := range specs {
				for _, spec := range of.wrong {
					object := &unstructured.Unstructured{}
					Expect(yaml.Unmarshal([]byte(ofKind(kind, "hang", namespace, spec)), object)).To(Succeed())
					object.SetLabels(map[string]string{"a": "!"})
					err := k8s.Create(ctx, object, client.DryRunAll)
					Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
					status := err.(apierrors.APIStatus).Status()
					lines := []any{status.Reason, status.Code, status.Details.Group, status.Details.Kind, status.Details.Name}
					for _, cause := range status.Details.Causes {
						if cause.Field != blank {
							lines = append(lines, cause)
						}
					}
					all[spec] = lines
				}
			}
			return all
		}
		ours := answers()
		restoreWebhooks(ctx)
		for _, configuration := range configurations(ctx) {
			Expect(k8s.Delete(ctx, configuration)).To(Succeed())
		}
		Eventually(func() error {
			session := asked(namespace, "hang")
			session.Spec.Debugger.Image = ""
			return k8s.Create(ctx, session, client.DryRunAll)
		}).ShouldNot(MatchError(ContainSubstring("admission webhook")))
		native := answers()
		for spec, lines := range ours {
			if strings.Contains(spec, "cpu: true") { // which it says thrice
				Expect(native[spec]).To(ContainElements(lines...), spec)
			} else {
				Expect(native[spec]).To(ConsistOf(lines...), spec)
			}
		}
	})
})

var _ = Describe("a schema that is not the operator's", Ordered, func() {
	const name = "debugclasses.debugsession.dev"
	definition := func() *unstructured.Unstructured {
		object := &unstructured.Unstructured{}
		object.SetAPIVersion("apiextensions.k8s.io/v1")
		object.SetKind("CustomResourceDefinition")
		object.SetName(name)
		return object
	}
	ofClass := func(spec string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(ofKind("DebugClass", "future", "", spec)), object)).To(Succeed())
		return object
	}
	// setProfiles makes the CRD one whose classes may have a profile more, or puts it back.
	profiles := func(ctx context.Context, change func([]any) []any) {
		GinkgoHelper()
		crd := definition()
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(crd), crd)).To(Succeed())
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		Expect(err).NotTo(HaveOccurred())
		at := []string{"schema", "openAPIV3Schema", "properties", "spec", "properties", "profiles", "items", "enum"}
		version := versions[0].(map[string]any)
		enum, found, err := unstructured.NestedSlice(version, at...)
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(BeTrue())
		Expect(unstructured.SetNestedSlice(version, change(enum), at...)).To(Succeed())
		Expect(unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")).To(Succeed())
		Expect(k8s.Update(ctx, crd)).To(Succeed())
	}
	const future = "modes: [PodCopy], profiles: [general, future], maxTTL: 1h"

	It("is the one that counts: for a new object while it is looser, and for its updates when it no longer is", func(ctx SpecContext) {
		startOperator(&kubelet{})
		refused := MatchError(ContainSubstring(`admission webhook "validation.debugsession.dev" denied the request`))
		Eventually(func() error { return k8s.Create(ctx, ofClass(future), client.DryRunAll) }).Should(refused)

		looser := func(enum []any) []any { return append(enum, "future") }
		stricter := func(enum []any) []any {
			var rest []any
			for _, value := range enum {
				if value != "future" {
					rest = append(rest, value)
				}
			}
			return rest
		}
		DeferCleanup(func(ctx SpecContext) { profiles(ctx, stricter) })
		profiles(ctx, looser)
		class := ofClass(future)
		Eventually(func() error { return k8s.Create(ctx, class) }).Should(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, class)).To(Succeed()) })

		profiles(ctx, stricter)
		Eventually(func() error {
			other := ofClass(future)
			other.SetName("other")
			return k8s.Create(ctx, other, client.DryRunAll)
		}).Should(refused)
		Expect(k8s.Patch(ctx, class, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"maxTTL":"2h"}}`)))).To(Succeed(),
			"what was stored before may still be edited")
	})

	It("does not keep a session from its end when nobody answers for it", func(ctx SpecContext) {
		stop := startOperator(&kubelet{})
		createAnything(ctx)
		session := asked(newNamespace(ctx, nil), "hang", fixture.Of("nobody"))
		Expect(k8s.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhasePending)
		stop()
		began := time.Now()
		Expect(k8s.Patch(ctx, session, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"end":true}}`)))).To(Succeed())
		Expect(time.Since(began)).To(BeNumerically("<", 10*time.Second))
	})
})
