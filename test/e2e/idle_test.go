package e2e

import (
	"os"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"debugsession.dev/operator/api/v1alpha1"
)

const warningClass = `
  modes: [EphemeralContainer, PodCopy]
  profiles: [general]
  images: [busybox]
  maxTTL: 1h
  maxIdleTimeout: 30s
  endWarnings: [10s]
  defaults: {image: "busybox:1.36"}
`

var _ = Describe("the end of a session", func() {
	It("is warned of in its terminal, once, and comes when nobody uses it, also when kubectl dbg was killed", func() {
		n := newNamespace()
		n.pod("web")
		n.edits("--user=alice")
		class := n.class(warningClass)
		n.may("use", class, "--user=alice")
		alice := user("alice")
		opens := func(name string, more ...string) *screen {
			GinkgoHelper()
			return alice.opens(n, append([]string{"dbg", "pod/web", "--class=" + class, "--name=" + name}, more...)...)
		}
		killed, left, used := opens("killed"), opens("left"), opens("used")
		ending, copied := opens("ending", "--ttl=30s"), opens("copied", "--copy", "--ttl=30s")
		for _, s := range []*screen{killed, left, used, ending, copied} {
			Eventually(s).Should(gbytes.Say(prompt))
		}
		Expect(killed.cmd.Process.Signal(os.Kill)).To(Succeed())

		Eventually(func() v1alpha1.Phase {
			used.types("\r")
			return n.get("killed").Status.Phase
		}).WithTimeout(90 * time.Second).WithPolling(2 * time.Second).Should(Equal(v1alpha1.PhaseEnded))
		Eventually(left).Should(gbytes.Say("nobody uses this session, and it ends in 1[345] seconds; press Enter to keep it"))
		Expect(left.exits()).To(Equal(124))
		for _, name := range []string{"killed", "left"} {
			idle := n.ends(name, v1alpha1.OutcomeExpired)
			Expect(idle.Status.Reason).To(Equal(v1alpha1.ReasonIdleTimeout))
			Expect(idle.Status.Debugger.StoppedBy).To(Equal(v1alpha1.StoppedByIdleTimeout))
			Expect(idle.Status.Debugger.FinishedAt.Sub(idle.Status.Debugger.StartedAt.Time)).To(BeNumerically(">=", 30*time.Second))
		}
		Expect(killed.text()).NotTo(ContainSubstring("nobody uses"), "it was gone by then")
		Expect(used.text()).NotTo(ContainSubstring("nobody uses"))
		used.types("exit\r")
		Expect(used.exits()).To(BeZero())
		n.ends("used", v1alpha1.OutcomeCompleted)

		warning := regexp.MustCompile(`this session ends in (8|9|10) ?s(econds)?, at \d\d:\d\d:\d\d( UTC)?; kubectl dbg extend -n ` +
			string(n) + ` (ending|copied) \+30m extends it`)
		for name, s := range map[string]*screen{"ending": ending, "copied": copied} {
			n.ends(name, v1alpha1.OutcomeExpired)
			Expect(s.exits()).To(Equal(124))
			Expect(warning.FindAllString(strings.ReplaceAll(s.text(), "\r\n", "\n"), -1)).To(HaveLen(1), s.text())
			Eventually(n.eventMessages(name, v1alpha1.ReasonEndingSoon)).Should(MatchRegexp("^the session ends in (8|9|10)s, at "))
		}
	})
})
