package e2e

import (
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	rbacv1 "k8s.io/api/rbac/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const openClass = `
  modes: [EphemeralContainer, PodCopy]
  profiles: [general, baseline, restricted]
  maxTTL: 1h
`

var _ = Describe("who may debug", func() {
	It("is who may use the class, and only they reach the debugger, and only while it lasts", func() {
		n := newNamespace()
		n.pod("web")
		n.pod("neighbour")
		class := n.class(openClass)
		alice, bob := user("alice"), user("bob")
		// The right to write sessions alone: alice has none of her own on pods/attach, exec or ephemeralcontainers.
		n.kubectl("create", "role", "sessions", "--verb=get,list,watch,create,patch,delete", "--resource=debugsessions.debugsession.dev")
		n.kubectl("create", "rolebinding", "sessions", "--role=sessions", "--user=alice", "--user=bob")
		session := sessionManifest("hang", "\n  className: "+class+shell)

		Expect(alice.refused(n, session)).To(And(
			ContainSubstring(`"alice" may not use class %q`, class),
			ContainSubstring("kubectl auth can-i use")))

		n.may("use", class, "--user=alice")
		Eventually(func() error { _, err := alice.do(n, session, "apply", "-f", "-"); return err }).Should(Succeed())
		active := n.reaches("hang", v1alpha1.PhaseActive)
		Expect(active.Spec.Requester.Username).To(Equal("alice"))
		at := active.Status.Debugger

		attached := attachAs(alice, n, active)

		n.session("again", "\n  className: "+class+shell) // as the administrator, to see who gets in there
		n.reaches("again", v1alpha1.PhaseActive)
		_, err := alice.do(n, "", "attach", "neighbour")
		Expect(err).To(MatchError(ContainSubstring("forbidden")), "the grant names one pod")
		_, err = bob.do(n, "", "attach", "web", "-c", at.ContainerName)
		Expect(err).To(MatchError(ContainSubstring("forbidden")), "bob has no part in alice's session")

		alice.must(n, "patch", "dbg", "hang", "--type=merge", "-p", `{"spec":{"end":true}}`)
		n.ends("hang", v1alpha1.OutcomeTerminated)
		Eventually(attached).Should(gexec.Exit())
		n.end("again")
		_, err = alice.do(n, "", "attach", "web", "-c", at.ContainerName)
		Expect(err).To(MatchError(ContainSubstring("forbidden")), "the session has ended")
		_, err = get[rbacv1.RoleBinding](n, "rolebinding", active.Status.Access.Name)
		Expect(err).To(MatchError(ContainSubstring("NotFound")))
		_, err = get[rbacv1.Role](n, "role", active.Status.Access.Name)
		Expect(err).To(MatchError(ContainSubstring("NotFound")))
	})

	It("is told to whoever is refused, by a command that answers", func() {
		n := newNamespace()
		n.pod("web")
		class := n.class(openClass)
		alice := user("alice")
		n.kubectl("create", "role", "sessions", "--verb=create,get,patch", "--resource=debugsessions.debugsession.dev")
		n.kubectl("create", "rolebinding", "sessions", "--role=sessions", "--user=alice")
		said := alice.refused(n, sessionManifest("hang", "\n  className: "+class+shell))
		command := regexp.MustCompile(`kubectl (auth can-i [^;\n]+)`).FindStringSubmatch(said)
		Expect(command).To(HaveLen(2), said)

		out, _ := alice.do(n, "", strings.Fields(command[1])...)
		Expect(out).To(HaveSuffix("no\n"))
		n.may("use", class, "--user=alice")
		Eventually(func() string { out, _ := alice.do(n, "", strings.Fields(command[1])...); return out }).Should(HaveSuffix("yes\n"))
	})

	It("is not reached through another session in the same pod, where the policy is installed", Serial, func() {
		kubectl("apply", "-f", "../../config/policy/debuggers.yaml")
		DeferCleanup(func() { kubectl("delete", "-f", "../../config/policy/debuggers.yaml") })
		n := newNamespace()
		n.pod("web")
		class := n.class(openClass)
		n.kubectl("create", "role", "sessions", "--verb=get,list,watch,create,patch,delete", "--resource=debugsessions.debugsession.dev")
		n.kubectl("create", "rolebinding", "sessions", "--role=sessions", "--user=alice", "--user=bob")
		n.may("use", class, "--user=alice")
		n.kubectl("create", "rolebinding", "use-bob", "--clusterrole="+class+"-use", "--user=bob")
		for _, name := range []string{"alice", "bob"} {
			manifest := sessionManifest("of-"+name, "\n  className: "+class+shell)
			Eventually(func() error { _, err := user(name).do(n, manifest, "apply", "-f", "-"); return err }).Should(Succeed())
		}
		ofAlice, ofBob := n.reaches("of-alice", v1alpha1.PhaseActive), n.reaches("of-bob", v1alpha1.PhaseActive)
		attachAs(user("bob"), n, ofBob)
		Eventually(func() error {
			_, err := user("bob").do(n, "", "attach", "web", "-c", ofAlice.Status.Debugger.ContainerName)
			return err
		}).Should(MatchError(ContainSubstring("which is not for you")))
		attachAs(user("alice"), n, ofAlice)
	})

	It("cannot be forged, nor gained by editing what the operator made", func() {
		n := newNamespace()
		n.pod("web")
		class := n.class(openClass)
		alice, bob := user("alice"), user("bob")
		n.edits("--user=alice")
		n.edits("--user=bob")
		n.may("use", class, "--user=alice")

		forged := sessionManifest("forged", "\n  className: "+class+"\n  requester: {username: bob}"+shell)
		Expect(alice.refused(n, forged)).To(And(ContainSubstring("requester"), ContainSubstring("alice")))

		alice.apply(n, sessionManifest("hang", "\n  className: "+class+shell))
		n.reaches("hang", v1alpha1.PhaseActive)
		for what, patch := range map[string]string{
			"status":    `{"status":{"phase":"Ended"}}`,
			"finalizer": `{"metadata":{"finalizers":[]}}`,
			"requester": `{"spec":{"requester":{"username":"bob"}}}`,
			"target":    `{"spec":{"target":{"podName":"other"}}}`,
		} {
			args := []string{"patch", "dbg", "hang", "--type=merge", "-p", patch}
			if what == "status" {
				args = append(args, "--subresource=status")
			}
			_, err := bob.do(n, "", args...)
			Expect(err).To(HaveOccurred(), what)
		}
		bob.must(n, "label", "dbg", "hang", "debugsession.dev/session-uid=0", "team=none")
		bob.must(n, "patch", "dbg", "hang", "--type=merge", "-p",
			`{"metadata":{"ownerReferences":[]}}`)
		Expect(n.get("hang").Status.Phase).To(Equal(v1alpha1.PhaseActive))
		n.end("hang")
	})

	It("leaves alone a pod that was made by hand to look like a copy", func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", "\n  mode: PodCopy"+shell)
		active := n.reaches("copy", v1alpha1.PhaseActive)
		n.pod("lookalike")
		n.kubectl("label", "pod", "lookalike", v1alpha1.LabelSessionUID+"="+string(active.UID))
		n.kubectl("annotate", "pod", "lookalike", v1alpha1.AnnotationSession+"=copy")
		before := n.getPod("lookalike")

		n.end("copy")
		n.gone("pod", active.Status.Debugger.PodName)
		after := n.getPod("lookalike")
		Expect(after.UID).To(Equal(before.UID))
		Expect(after.DeletionTimestamp).To(BeNil())
		Expect(after.Spec).To(Equal(before.Spec))
	})

	It("waits for a class that is not there, says so, and goes on when it comes", func() {
		n := newNamespace()
		n.pod("web")
		n.session("early", fmt.Sprintf("\n  className: %s-class%s", n, shell))
		Eventually(func() string { return n.get("early").Status.Reason }).Should(Equal(v1alpha1.ReasonClassNotFound))
		n.class(openClass)
		n.reaches("early", v1alpha1.PhaseActive)

		kubectl("delete", "debugclass", string(n)+"-class")
		n.end("early")
	})
})
