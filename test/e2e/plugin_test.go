package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"debugsession.dev/operator/api/v1alpha1"
)

const prompt = "/ # "

// ofSession is how progress tells a session's name.
var ofSession = regexp.MustCompile(`session (\S+) created`)

func (s *screen) session() string {
	GinkgoHelper()
	var found [][]byte
	Eventually(func() [][]byte { found = ofSession.FindSubmatch(s.shown.Contents()); return found }).ShouldNot(BeNil())
	return string(found[1])
}

var _ = Describe("kubectl dbg", func() {
	It("goes from a target to a shell and back, in a terminal", func() {
		n := newNamespace()
		n.pod("web")
		n.edits("--user=alice")
		alice := user("alice")
		GinkgoT().Setenv("NO_COLOR", "1")
		screen := alice.opens(n, "dbg", "pod/web")
		name := screen.session()
		Expect(name).To(MatchRegexp(`^alice-web-\d{6}-\d{6}$`))
		Eventually(screen).Should(gbytes.Say(`in web/app for (30m|29m\d+s), until \d\d:\d\d:\d\d; exit ends it`))
		Eventually(screen).Should(gbytes.Say(prompt))
		for _, line := range regexp.MustCompile(`[\r\n]+`).Split(screen.text(), -1) {
			Expect(len([]rune(strings.ReplaceAll(line, "\033[K", "")))).To(BeNumerically("<=", 80), line)
		}
		Expect(screen.text()).NotTo(MatchRegexp(`\033\[\d*m`), "a colour")
		screen.types("stty size\r")
		Eventually(screen).Should(gbytes.Say("24 80"))
		Expect(pty.Setsize(screen.keys, &pty.Winsize{Cols: 100, Rows: 30})).To(Succeed())
		Eventually(func(g Gomega) {
			screen.types("stty size\r")
			g.Eventually(screen, "1s").Should(gbytes.Say("30 100"))
		}).Should(Succeed())

		out, _, code := alice.dbg(n, "", "exec", "--", "sh", "-c", "echo in; exit 9")
		Expect(out).To(Equal("in\n"))
		Expect(code).To(Equal(9), "the one session of the caller needs no name")
		out, _, _ = alice.dbg(n, "", "list", "--mine")
		Expect(out).To(MatchRegexp(name + ` +web +Active`))
		completes := func(words ...string) string {
			return kubectl(slices.Concat([]string{"__complete", "dbg"}, alice.flags, []string{"-n", string(n)}, words)...)
		}
		Expect(completes("attach", "")).To(ContainSubstring(name + "\tActive"))
		Expect(completes("we")).To(HavePrefix("web\n"))
		Expect(completes("web", "--class", "")).To(ContainSubstring("standard\t"))
		out, _, code = alice.dbg(n, "", "extend", "+10m")
		Expect(out).To(MatchRegexp(`in (40m|39m\d+s)`))
		Expect(code).To(BeZero())

		Expect(n.kubectl("get", "dbg", "-o", "name",
			"--field-selector=status.phase=Active,spec.className=standard,spec.requester.username=alice")).To(
			HaveSuffix(name + "\n"))
		Expect(n.kubectl("get", "dbg", "-o", "name", "--field-selector=status.phase=Active,spec.requester.username=bob")).To(BeEmpty())

		screen.types("\x10\x11") // ctrl-p ctrl-q
		Expect(screen.exits()).To(BeZero())
		Expect(screen.text()).To(ContainSubstring("kubectl dbg attach " + name + " returns to it"))
		again := alice.opens(n, "dbg", "attach")
		Eventually(again).Should(gbytes.Say(prompt))
		again.types("exit 3\r")
		Expect(again.exits()).To(Equal(3))
		Expect(n.ends(name, v1alpha1.OutcomeCompleted).Status.Debugger.ExitCode).To(HaveValue(BeEquivalentTo(3)))
		out, _, _ = alice.dbg(n, "", "describe", name)
		Expect(out).
			To(And(ContainSubstring("alice requested a debugger in pod web"), ContainSubstring("the debugger ended with exit code 3")))
	})

	It("runs one command without a terminal, and passes on all that it writes and its exit code", func() {
		n := newNamespace()
		n.pod("web")
		n.edits("--user=alice")
		alice := user("alice")
		out, errs, code := alice.dbg(n, "", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
		Expect(out).To(Equal("out\n"))
		Expect(strings.Split(errs, "\n")).To(ContainElement("err"))
		Expect(errs).NotTo(ContainSubstring("\033"), "progress is plain lines")
		Expect(code).To(Equal(7))
		out, errs, code = alice.dbg(n, "a\nb\n", "web", "-i", "--quiet", "--", "sh", "-c", "echo first; cat; echo last")
		Expect(out).To(Equal("first\na\nb\nlast\n"))
		Expect(errs).To(BeEmpty())
		Expect(code).To(BeZero())

		_, errs, code = alice.dbg(n, "", "web", "--profile=sysadmin", "--", "id")
		Expect(code).To(Equal(120), "the class does not allow it")
		Expect(errs).To(ContainSubstring("sysadmin"))
		out, _, code = alice.dbg(n, "", "can-i", "web", "--profile=sysadmin")
		Expect(out).To(HavePrefix("no: "))
		Expect(code).To(Equal(1))
		out, _, code = alice.dbg(n, "", "can-i", "web")
		Expect(out).To(HavePrefix("yes: by class standard"))
		Expect(code).To(BeZero())
	})

	It("waits for somebody's approval, who sees what it is given to", func() {
		n, class, alice, bob := production(productionClass)
		screen := alice.opens(n, "dbg", "web", "--image=busybox:1.36", "--class="+class, "--reason=INC-7 it hangs")
		name := screen.session()
		Eventually(screen).Should(gbytes.Say("waiting for 1 approval"))
		out, _, _ := bob.dbg(n, "", "list", "--waiting", "-o", "name")
		Expect(strings.TrimSpace(out)).To(HaveSuffix(name))
		out, _, _ = alice.dbg(n, "", "list", "--waiting", "-o", "name")
		Expect(out).To(BeEmpty(), "nobody is shown their own to approve")
		_, errs, code := alice.dbg(n, "", "approve", name, "--yes")
		Expect(code).To(Equal(120), errs)

		approving := bob.opens(n, "dbg", "approve", name, "-m", "seen")
		Eventually(approving).Should(gbytes.Say("INC-7 it hangs"))
		Eventually(approving).Should(gbytes.Say(`\+  ephemeralContainers:`))
		Eventually(approving).Should(gbytes.Say("SYS_PTRACE"))
		Eventually(approving).Should(gbytes.Say(`\[y/N\]`))
		approving.types("y\r")
		Expect(approving.exits()).To(BeZero())
		Eventually(screen).Should(gbytes.Say(prompt))
		approved := n.get(name)
		Expect(approved.Status.Approvals).To(HaveLen(1))
		hash := n.kubectl("get", "dbgapproval", approved.Status.Approvals[0].Name, "-o", "jsonpath={.spec.requestHash} {.spec.reason}")
		Expect(hash).To(Equal(approved.Status.Request.Hash + " seen"))
		screen.types("exit\r")
		Expect(screen.exits()).To(BeZero())

		refused, _, errors := alice.command(n, "", "web", "--image=busybox:1.36", "--class="+class, "--reason=INC-8",
			"--name=refused", "--", "id")
		Expect(refused.Start()).To(Succeed())
		n.reaches("refused", v1alpha1.PhaseAwaitingApproval)
		bob.dbg(n, "", "deny", "refused", "--yes")
		_ = refused.Wait()
		Expect(refused.ProcessState.ExitCode()).To(Equal(120), string(errors.Contents()))
		n.ends("refused", v1alpha1.OutcomeDenied)
	})

	It("asks what is to become of the session on Ctrl-C, and leaves none behind that does not end, also when it is killed", func() {
		n := newNamespace()
		n.pod("web")
		n.edits("--user=alice")
		alice := user("alice")
		killed := alice.opens(n, "dbg", "web", "--ttl=15s", "--name=killed")
		Eventually(killed).Should(gbytes.Say(prompt))
		Expect(killed.cmd.Process.Signal(os.Kill)).To(Succeed())

		waiting, left := alice.opens(n, "dbg", "absent", "--name=waiting"), alice.opens(n, "dbg", "absent", "--name=left")
		for _, s := range []*screen{waiting, left} {
			Eventually(s).Should(gbytes.Say("absent"))
		}
		left.types("\x03")
		Eventually(left).Should(gbytes.Say(`\[E\]nd the session`))
		left.types("l\r")
		Expect(left.exits()).To(Equal(130))
		Expect(left.text()).To(ContainSubstring("session left stays open: kubectl dbg attach left returns to it, kubectl dbg end left ends it"))
		waiting.types("\x03")
		Eventually(waiting).Should(gbytes.Say(`\[E\]nd the session, \[l\]eave it open, or keep \[w\]aiting`))
		waiting.types("w\r")
		Eventually(waiting).Should(gbytes.Say("absent"))
		waiting.types("\x03")
		Eventually(waiting).Should(gbytes.Say(`\[E\]nd`))
		waiting.types("\r")
		Expect(waiting.exits()).To(Equal(130))
		n.ends("waiting", v1alpha1.OutcomeTerminated)
		Expect(n.get("left").Status.Phase).To(Equal(v1alpha1.PhasePending))
		Expect(n.get("killed").Status.Phase).To(Equal(v1alpha1.PhaseActive), "nobody is there to end it")
		n.ends("killed", v1alpha1.OutcomeExpired)
	})

	It("attaches again by itself when the connection to the cluster was lost", func() {
		n := newNamespace()
		n.pod("web")
		n.edits("--user=alice")
		network := newNetwork()
		alice := user("alice")
		screen := person{append(alice.flags, network.flags...)}.opens(n, "dbg", "web", "--idle-timeout=30s") // which is longer than that
		Eventually(screen).Should(gbytes.Say(prompt))
		screen.types("kept=here; echo now it is $kept\r")
		Eventually(screen).Should(gbytes.Say("now it is here"))
		network.set(true)
		Eventually(screen).Should(gbytes.Say("reattaching"))
		Eventually(screen).Should(gbytes.Say("is not responding"))
		time.AfterFunc(3*time.Second, func() { network.set(false) })
		Eventually(screen).Should(gbytes.Say("exit ends it|" + prompt))
		Eventually(func(g Gomega) {
			screen.types("echo it is still $kept\r")
			g.Eventually(screen, "2s").Should(gbytes.Say("it is still here"))
		}).Should(Succeed())
		screen.types("exit\r")
		Expect(screen.exits()).To(BeZero())
	})
})
