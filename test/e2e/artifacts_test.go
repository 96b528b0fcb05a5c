package e2e

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

const keepingClass = "  modes: [EphemeralContainer]\n  profiles: [general]\n  maxTTL: 1h\n  artifacts: {maxSize: 2Mi}\n"

// leaves is a command that leaves a file of each kind; a process that it leaves running would change the first.
const leaves = "mkfifo /tmp/fifo; ln -s /proc/1/root/etc/passwd /tmp/link; ln -s /proc/1/root /tmp/root; head -c 1500000 /dev/zero >/tmp/dump; " +
	"dd if=/dev/zero of=/tmp/large bs=1M seek=9999 count=1; (while :; do echo more >>/tmp/dump; sleep 1; done) & exit 3"

var _ = Describe("artifacts", Serial, func() {
	It("of a command are kept when it has ended, whatever else it leaves, and downloaded", func() {
		folder := auditVolume()
		n := newNamespace()
		n.pod("web")
		class := n.class(keepingClass)
		n.session("dump", "  className: "+class+`
  target: {podName: web}
  debugger:
    image: "busybox:1.36"
    command: [sh, -c, "`+leaves+`"]
    artifacts: [/tmp/fifo, /tmp/link, /tmp/root/etc/passwd, /tmp/none, /tmp/large, /tmp/dump]
`)
		session := n.ends("dump", v1alpha1.OutcomeCompleted)
		Expect(*session.Status.Debugger.ExitCode).To(BeEquivalentTo(3))
		var states []string
		for _, row := range session.Status.Artifacts {
			states = append(states, string(row.State))
		}
		Expect(strings.Join(states, " ")).To(HavePrefix("NotRegular NotRegular NotRegular Missing TooLarge"))
		for _, row := range session.Status.Artifacts[:5] {
			Expect(row.Key).To(BeEmpty())
		}
		// What was stored of the large one leaves too little for the last.
		Expect(states[5]).To(Equal("TooLarge"))

		n.session("small", "  className: "+class+`
  target: {podName: web}
  debugger:
    image: "busybox:1.36"
    command: [sh, -c, "head -c 1500000 /dev/urandom >/tmp/dump; sha256sum /tmp/dump"]
    artifacts: [/tmp/dump]
`)
		session = n.ends("small", v1alpha1.OutcomeCompleted)
		Expect(session.Status.Artifacts).To(HaveLen(1))
		kept := session.Status.Artifacts[0]
		Expect(kept.State).To(Equal(v1alpha1.ArtifactKept), kept.Message)
		Expect(session.Status.Debugger.Output).To(ContainSubstring(kept.SHA256))
		Eventually(func() *v1alpha1.AuditStatus { return n.get("small").Status.Audit }).ShouldNot(BeNil())
		to := filepath.Join(GinkgoT().TempDir(), "dump")
		kubectl("dbg", "artifacts", "small", "/tmp/dump", "--namespace="+string(n), "--store=file://"+folder, "--to="+to)
		got, err := os.Stat(to)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Size()).To(BeEquivalentTo(1500000))
	})
})
