package e2e

import (
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"debugsession.dev/operator/api/v1alpha1"
)

const accessClass = `
  modes: [EphemeralContainer, PodCopy]
  profiles: [general]
  images: [busybox]
  maxTTL: 1h
  defaults: {image: "busybox:1.36"}
  access: {verbs: [Attach, Exec, Logs, PortForward]}
`

// starts runs kubectl dbg in the background, until it ends by itself or the test does.
func (p person) starts(n namespace, args ...string) (cmd *exec.Cmd, out, errs *gbytes.Buffer) {
	GinkgoHelper()
	cmd, out, errs = p.command(n, "", args...)
	Expect(cmd.Start()).To(Succeed())
	DeferCleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, out, errs
}

var forwarded = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+) -> 8080`)

var _ = Describe("kubectl dbg as somebody who may have sessions, and nothing else", func() {
	It("runs a command, reads a log, forwards a port, lists what may be read, and ends a session", func() {
		n, other := newNamespace(), newNamespace()
		n.pod("web")
		class := n.class(accessClass)
		n.kubectl("create", "role", "sessions", "--verb=get,list,watch,create,patch", "--resource=debugsessions.debugsession.dev")
		n.kubectl("create", "rolebinding", "sessions", "--role=sessions", "--user=alice")
		n.may("use", class, "--user=alice")
		other.session("elsewhere", shell)
		alice := user("alice")
		Eventually(func() (out string) {
			out, _, _ = alice.dbg(n, "", "classes")
			return out
		}).Should(MatchRegexp(`(?m)^` + class + ` +yes `))

		out, errs, code := alice.dbg(n, "", "web", "--class="+class, "--", "sh", "-c", "echo here; exit 4")
		Expect(out).To(Equal("here\n"), errs)
		Expect(code).To(Equal(4))

		out, errs, code = alice.dbg(n, "", "web", "--class="+class, "--name=hang", "--attach=false", "-o", "name", "--", "sh", "-c",
			"echo begun; sleep 1000")
		Expect(out).To(Equal("debugsession.debugsession.dev/hang\n"), errs)
		Expect(code).To(BeZero())
		n.reaches("hang", v1alpha1.PhaseActive)
		Eventually(func() (out string) { out, _, _ = alice.dbg(n, "", "logs"); return out }).Should(Equal("begun\n"))
		_, out2, _ := alice.starts(n, "port-forward", ":8080")
		var at [][]byte
		Eventually(func() [][]byte { at = forwarded.FindSubmatch(out2.Contents()); return at }).ShouldNot(BeNil())
		Eventually(func() (string, error) {
			response, err := http.Get("http://" + string(at[1]) + "/checkout")
			if err != nil {
				return "", err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			return string(body), err
		}).Should(ContainSubstring(": /checkout"))

		out, errs, code = alice.dbg(n, "", "list", "-A")
		Expect(code).To(BeZero(), errs)
		Expect(out).To(MatchRegexp(`(?m)^` + string(n) + ` +hang +web +Active `))
		Expect(out).NotTo(ContainSubstring("elsewhere"))
		Expect(errs).To(MatchRegexp(`You may not list sessions in all namespaces; showing: .*` + string(n)))

		out, errs, code = alice.dbg(n, "", "end")
		Expect(out).To(HavePrefix("session hang ended: Terminated"), errs)
		Expect(code).To(BeZero())
		n.ends("hang", v1alpha1.OutcomeTerminated)
		out, _, code = alice.dbg(n, "", "end", "hang")
		Expect(out).To(HavePrefix("session hang ended: Terminated"), "it has ended already")
		Expect(code).To(BeZero())
		_, errs, code = alice.dbg(n, "", "logs", "hang")
		Expect(errs).To(And(ContainSubstring("session hang is Ended"), ContainSubstring("kubectl dbg TARGET opens another")))
		Expect(code).To(Equal(1))
	})
})

var _ = Describe("kubectl dbg can-i", func() {
	It("answers what Pod Security, a quota and the class would, for oneself and for somebody else", func() {
		n := newNamespace("pod-security.kubernetes.io/enforce=restricted")
		n.restrictedPod()
		n.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: full}, spec: {hard: {pods: "1"}}}`)
		n.kubectl("wait", "resourcequota", "full", "--for=jsonpath={.status.used.pods}=1", "--timeout=30s")
		n.edits("--user=alice")
		type answer struct {
			Said string
			Code int
		}
		asks := func(who person, args ...string) func() answer {
			return func() answer {
				out, _, code := who.dbg(n, "", append([]string{"can-i", "web"}, args...)...)
				return answer{out, code}
			}
		}
		no := func(words string) OmegaMatcher {
			return And(HaveField("Said", HavePrefix("no: ")), HaveField("Said", ContainSubstring(words)), HaveField("Code", 1))
		}
		alice, administrator := user("alice"), person{}
		Eventually(asks(alice)).Should(no(`violates PodSecurity "restricted:latest"`))
		Eventually(asks(administrator, "--as=alice")).Should(no(`violates PodSecurity "restricted:latest"`))
		Eventually(asks(alice, "--profile=restricted", "--copy")).Should(no("exceeded quota: full"))
		Eventually(asks(alice, "--profile=restricted")).Should(And(HaveField("Code", 0), HaveField("Said", And(
			HavePrefix("yes: by class standard, for 30m (at most 1h); Attach, Exec, Logs, for alice\n"),
			ContainSubstring("the API server would accept the debugger for web")))))
		Eventually(asks(administrator, "--profile=restricted", "--as=bob")).Should(no("bob"))

		_, errs, code := alice.dbg(n, "", "web", "--class=standrad", "--", "id")
		Expect(code).To(Equal(120))
		Expect(errs).To(And(ContainSubstring("no DebugClass of that name exists"), ContainSubstring(`did you mean "standard"?`),
			ContainSubstring("kubectl dbg classes -n "+string(n)+" lists what you may do there")))
		Expect(n.kubectl("get", "dbg", "-o", "name")).To(BeEmpty(), "nothing was made to find out")
	})
})

var _ = Describe("kubectl dbg's exit code", func() {
	It("tells why a command did not run to its end", func() {
		n := newNamespace()
		n.pod("web")
		n.pod("leaving")
		n.edits("--user=alice")
		alice := user("alice")
		gone, _, goneErrs := alice.starts(n, "leaving", "--name=gone", "--", "sleep", "1000")
		ended, _, endedErrs := alice.starts(n, "web", "--name=ended", "--", "sleep", "1000")
		late, _, lateErrs := alice.starts(n, "absent", "--name=late", "--not-after=6s", "--", "id")
		shellless, _, shelllessErrs := alice.starts(n, "web", "--name=shellless", "--image="+appImage, "--", "/server")
		never, _, neverErrs := alice.starts(n, "web", "--name=never", "--target=absent", "--", "id")
		n.reaches("gone", v1alpha1.PhaseActive)
		n.kubectl("delete", "pod", "leaving", "--wait=false")
		n.reaches("ended", v1alpha1.PhaseActive)
		_, errs, code := alice.dbg(n, "", "end", "ended")
		Expect(code).To(BeZero(), errs)

		for _, want := range []struct {
			cmd  *exec.Cmd
			errs *gbytes.Buffer
			code int
			said string
		}{
			{gone, goneErrs, 121, "session gone ended: TargetGone"},
			{ended, endedErrs, 123, "session ended ended: Terminated"},
			{late, lateErrs, 122, "session late ended: NotStarted"},
			{shellless, shelllessErrs, 122, "session shellless ended: NotStarted"},
			{never, neverErrs, 122, "session never ended: Rejected"},
		} {
			_ = want.cmd.Wait()
			said := string(want.errs.Contents())
			Expect(want.cmd.ProcessState.ExitCode()).To(Equal(want.code), said)
			Expect(said).To(And(ContainSubstring(want.said), ContainSubstring("kubectl dbg describe ")), strings.Join(want.cmd.Args, " "))
		}
		Expect(string(neverErrs.Contents())).To(ContainSubstring(`no container "absent"; its containers are app`))
	})
})

var _ = Describe("a manifest that kubectl dbg prints", func() {
	It("is the session, and its approval, when it is applied; and that of a kubectl debug command", func() {
		n, class, alice, bob := production(productionClass)
		manifest, errs, code := alice.dbg(n, "", "render", "web", "--class="+class, "--image=busybox:1.36", "--reason=INC-7",
			"--name=rendered")
		Expect(code).To(BeZero(), errs)
		alice.apply(n, manifest)
		translated, errs, code := alice.dbg(n, "", "from-debug", "-o", "json", "--", "kubectl", "debug", "-n", string(n), "web", "-it",
			"--image=busybox:1.36", "--target=app", "-c", "shell", "--", "sh")
		Expect(code).To(BeZero(), errs)
		Expect(errs).To(ContainSubstring("-c shell has no effect without a copy"))
		alice.apply(n, translated)

		waiting := n.reaches("rendered", v1alpha1.PhaseAwaitingApproval)
		Expect(waiting.Spec.NotAfter).NotTo(BeNil(), "what stays in Git must not start for ever")
		approval, errs, code := bob.dbg(n, "", "render", "--approval=rendered", "-m", "seen")
		Expect(code).To(BeZero(), errs)
		bob.apply(n, approval)
		Expect(n.reaches("rendered", v1alpha1.PhaseActive).Status.Approvals[0].By).To(Equal("bob"))

		out, errs, code := alice.dbg(n, "", "list", "-o", "name")
		Expect(code).To(BeZero(), errs)
		for _, name := range strings.Fields(out) {
			session := n.reaches(strings.TrimPrefix(name, "debugsession.debugsession.dev/"), v1alpha1.PhaseActive)
			Expect(n.exec(session, "ls", "/proc/1/root/etc/app-config.txt")).NotTo(BeEmpty(), "it sees the target's processes")
		}
	})
})
