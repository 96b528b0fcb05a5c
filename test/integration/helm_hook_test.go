package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/helmhook"
)

var _ = Describe("a hook of the Helm chart", Ordered, ContinueOnFailure, func() {
	hook := func(ctx context.Context, args ...string) (string, error) {
		out := &bytes.Buffer{}
		err := helmhook.Run(ctx, restConfig, args, out)
		return out.String(), err
	}
	const allowed = "{modes: [PodCopy], profiles: [general], maxTTL: 1h}"
	object := func(kind, name, spec string) string {
		return "---\napiVersion: debugsession.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
	}
	class := func(name, spec string) string { return object("DebugClass", name, spec) }
	file := func(text string) string {
		path := filepath.Join(GinkgoT().TempDir(), "objects.yaml")
		Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
		return path
	}
	exists := func(ctx context.Context, name string) bool {
		err := k8s.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.DebugClass{})
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return !apierrors.IsNotFound(err)
	}

	It("waits for an operator that does not answer, and says what it waits for", func(ctx SpecContext) {
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		out, err := hook(short, "apply", file(class("helm-never", allowed)))
		Expect(err).To(MatchError(ContainSubstring("timed out waiting")))
		Expect(out).To(ContainSubstring("DebugClass helm-never: waiting: "))
		Expect(exists(ctx, "helm-never")).To(BeFalse())
	})

	Describe("with an operator", Ordered, func() {
		BeforeAll(func() { startOperator(&kubelet{}) })

		It("applies classes and sinks, all or none, and deletes those of its own that are gone", func(ctx SpecContext) {
			newClass(ctx, "helm-other")
			sink := object("DebugSink", "helm-sink", "{urlKey: nowhere}")
			_, err := hook(ctx, "apply", file(class("helm-a", allowed)+class("helm-b", allowed)+sink))
			Expect(err).NotTo(HaveOccurred())
			Expect(exists(ctx, "helm-a")).To(BeTrue())

			wrong := "{modes: [PodCopy], profiles: [general], maxTTL: 1h, images: [busybox], defaults: {image: bash}}"
			_, err = hook(ctx, "apply", file(class("helm-a", wrong)+class("helm-c", allowed)))
			Expect(err).
				To(MatchError(And(ContainSubstring("nothing was changed"), ContainSubstring(`"bash" is not allowed by spec.images`))))
			Expect(exists(ctx, "helm-b")).To(BeTrue())
			Expect(exists(ctx, "helm-c")).To(BeFalse())

			out, err := hook(ctx, "apply", file(class("helm-b", allowed)))
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(ContainSubstring("DebugClass helm-a is deleted"))
			Expect(exists(ctx, "helm-a")).To(BeFalse())
			Expect(exists(ctx, "helm-b")).To(BeTrue())
			Expect(exists(ctx, "helm-other")).To(BeTrue(), "others' classes are not its own")
			Expect(client.IgnoreNotFound(k8s.Get(ctx, client.ObjectKey{Name: "helm-sink"}, &v1alpha1.DebugSink{}))).To(Succeed())

			_, err = hook(ctx, "apply", file(""))
			Expect(err).NotTo(HaveOccurred())
			Expect(exists(ctx, "helm-b")).To(BeFalse())
		})

		It("sets a class as the values have it, whoever wrote it", func(ctx SpecContext) {
			newClass(ctx, "helm-taken", func(c *v1alpha1.DebugClass) { c.Spec.AllowVolumes = true })
			_, err := hook(ctx,
				"apply", file(class("helm-taken", "{modes: [PodCopy], profiles: [general], maxTTL: 7m, allowVolumes: false}")))
			Expect(err).NotTo(HaveOccurred())
			have := &v1alpha1.DebugClass{}
			Expect(k8s.Get(ctx, client.ObjectKey{Name: "helm-taken"}, have)).To(Succeed())
			Expect(have.Spec.AllowVolumes).To(BeFalse())
			Expect(have.Spec.MaxTTL.Duration).To(Equal(7 * time.Minute))
		})

		It("applies nothing but classes and sinks", func(ctx SpecContext) {
			_, err := hook(ctx, "apply", file(object("DebugSession", "helm-session", "{}")))
			Expect(err).To(MatchError(ContainSubstring("neither a DebugClass nor a DebugSink")))
		})

		It("verifies that what is created is stamped", func(ctx SpecContext) {
			out, err := hook(ctx, "verify", "default")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).
				To(And(ContainSubstring("ok: the operator stamps"), ContainSubstring("ok: an approval in another user's name is rejected")))
		})

		It("keeps the operator from being uninstalled while a session runs", func(ctx SpecContext) {
			namespace, class := cast(ctx)
			newClass(ctx, class)
			runningPod(ctx, namespace, "web")
			session := newSession(namespace, "hang", "web")
			session.Spec.ClassName = class
			Expect(k8s.Create(ctx, session)).To(Succeed())
			reaches(ctx, session, v1alpha1.PhaseStarting)
			Eventually(func(g Gomega) {
				all, held := &v1alpha1.DebugSessionList{}, 0
				g.Expect(k8s.List(ctx, all)).To(Succeed())
				for i := range all.Items { // other specs have left some: not each is named
					if slices.Contains(all.Items[i].Finalizers, v1alpha1.Finalizer) {
						held++
					}
				}
				_, err := hook(ctx, "check-uninstall")
				g.Expect(err).To(MatchError(And(
					HavePrefix(fmt.Sprintf("sessions that have not ended: %d. ", held)),
					MatchRegexp(`kubectl -n \S+ patch debugsession \S+ --type=merge -p '{"spec":{"end":true}}'`))))
			}).Should(Succeed())
		})
	})

	It("says how it is used", func(ctx SpecContext) {
		_, err := hook(ctx, "install")
		Expect(err).To(MatchError(ContainSubstring("usage: manager hook apply FILE")))
	})
})
