package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

const keepingClass = "  modes: [EphemeralContainer, PodCopy, Node]\n  nodeNamespace: %s\n  profiles: [general]\n  maxTTL: 1h\n  allowVolumes: true\n  artifacts: {maxSize: 2Mi}\n"

// dump is a command that leaves a file, and tells its checksum.
const dump = "head -c 1500000 /dev/urandom >/tmp/dump; sha256sum /tmp/dump"

// leaves is a command that leaves a file of each kind; a process that it leaves running would change the first.
const leaves = "mkfifo /tmp/fifo; ln -s /proc/1/root/etc/passwd /tmp/link; ln -s /proc/1/root /tmp/root; head -c 1500000 /dev/zero >/tmp/dump; " +
	"dd if=/dev/zero of=/tmp/large bs=1M seek=9999 count=1; (while sleep 1; do echo more >>/tmp/dump; done) & exit 3"

var _ = Describe("artifacts", Serial, func() {
	It("of a command are kept when it has ended, whatever else it leaves, and downloaded", func() {
		auditVolume()
		n := newNamespace()
		n.pod("web")
		class := n.class(fmt.Sprintf(keepingClass, n))
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
		// The large one was not read, and leaves the last its room.
		Expect(states[5]).To(Equal("Kept"))
		Expect(session.Status.Artifacts[5].Bytes).To(BeEquivalentTo(1500000))
	})

	DescribeTable("are kept and downloaded", func(where string) {
		ownCluster() // which a debugger on a node sees all of
		folder := auditVolume()
		n := newNamespace()
		n.podWith(`
  containers:
  - {name: app, image: "busybox:1.36", command: [sleep, "600"]}
`)
		class := n.class(fmt.Sprintf(keepingClass, n))
		where = strings.ReplaceAll(where, "NODE", n.getPod("web").Spec.NodeName)
		n.session("small", "  className: "+class+where+`
    command: [sh, -c, "`+dump+`"]
    artifacts: [/tmp/dump]
`)
		session := n.ends("small", v1alpha1.OutcomeCompleted)
		Expect(session.Status.Artifacts).To(HaveLen(1))
		kept := session.Status.Artifacts[0]
		Expect(kept.State).To(Equal(v1alpha1.ArtifactKept), kept.Message)
		Expect(strings.Count(session.Status.Debugger.Output, "/tmp/dump")).To(Equal(1), "it ran once")
		Expect(session.Status.Debugger.Output).To(ContainSubstring(kept.SHA256))
		Eventually(func() *v1alpha1.AuditStatus { return n.get("small").Status.Audit }).ShouldNot(BeNil())
		to := filepath.Join(GinkgoT().TempDir(), "dump")
		kubectl("dbg", "artifacts", "small", "/tmp/dump", "--namespace="+string(n), "--store=file://"+folder, "--to="+to)
		got, err := os.ReadFile(to)
		Expect(err).NotTo(HaveOccurred())
		Expect(got).To(HaveLen(1500000))
		Expect(fmt.Sprintf("%x", sha256.Sum256(got))).To(Equal(kept.SHA256))
	},
		Entry("of an ephemeral container", `
  target: {podName: web}
  debugger:
    image: "busybox:1.36"`),
		Entry("of a copy", `
  mode: PodCopy
  target: {podName: web}
  debugger:
    image: "busybox:1.36"`),
		Entry("of a container of a copy without shared processes", `
  mode: PodCopy
  podCopy: {shareProcesses: false}
  target: {podName: web}
  debugger:
    container: app`),
		Entry("of a node", `
  mode: Node
  target: {nodeName: NODE}
  debugger:
    image: "busybox:1.36"`),
	)
})
