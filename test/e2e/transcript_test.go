package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
)

const transcribingClass = "  modes: [EphemeralContainer, PodCopy]\n  profiles: [general]\n  maxTTL: 1h\n  defaults: {image: " +
	"\"busybox:1.36\"}\n  audit: Required\n  transcript: Required\n"

// auditVolume gives the operator a folder of this machine as its audit store, by what config/audit-volume has, until the spec ends.
func auditVolume() (folder string) {
	GinkgoHelper()
	ownCluster()
	folder = GinkgoT().TempDir()
	Expect(os.Chmod(folder, 0o777)).To(Succeed()) // the operator, which is nobody on this machine, writes to it
	_, err := feedKubectl(fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: debugsession-audit}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  persistentVolumeReclaimPolicy: Retain
  claimRef: {namespace: %s, name: debugsession-audit}
  hostPath: {path: %q}
`, operatorNamespace, folder), "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
	overlay := filepath.Join("..", "..", "config", "audit-volume")
	DeferCleanup(func() {
		kubectl("-n", operatorNamespace, "rollout", "undo", operator)
		kubectl("apply", "-f", os.Getenv("INSTALL"))
		operatorReady()
		kubectl("-n", operatorNamespace, "delete", "persistentvolumeclaim", "debugsession-audit")
		kubectl("delete", "persistentvolume", "debugsession-audit")
		own := namespace(operatorNamespace)
		own.kubectl("delete", "configmap", audit.AnchorName, "--ignore-not-found") // the next store has another chain
	})
	kubectl("apply", "-f", filepath.Join(overlay, "volume_claim.yaml"))
	kubectl("-n", operatorNamespace, "patch", operator, "--patch-file", filepath.Join(overlay, "deployment_patch.yaml"))
	operatorReady()
	return filepath.Join(folder, "audit")
}

// transcriptIn are the parts of a session's transcript in the folder, one after another, and their files.
func transcriptIn(folder string, session *v1alpha1.DebugSession) (text string, files []string) {
	GinkgoHelper()
	Expect(session.Status.Transcript).NotTo(BeNil())
	files, err := filepath.Glob(filepath.Join(folder, session.Status.Transcript.Key, "*"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		part, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		text += string(part)
	}
	return text, files
}

var _ = Describe("a transcript", Serial, func() {
	It("has what was printed at a terminal, by a command and in a copy, is played, and cannot be changed unseen", func() {
		folder := auditVolume()
		n := newNamespace()
		n.pod("web")
		n.edits("--user=alice")
		class := n.class(transcribingClass)
		n.may("use", class, "--user=alice")
		alice, store := user("alice"), "--store=file://"+folder

		screen := alice.opens(n, "dbg", "web", "--class="+class, "--name=hang")
		Eventually(screen).Should(gbytes.Say("what is printed here is recorded"))
		Eventually(screen).Should(gbytes.Say(prompt))
		screen.types("echo he''llo; printf '\\033[31mred\\033[0m\\n'\r")
		Eventually(screen).Should(gbytes.Say("hello"))
		own := namespace(operatorNamespace)
		own.kubectl("delete", "pod", "-l", operatorPods, "--wait=false") // the next operator goes on
		operatorReady()
		screen.types("echo la''ter\r")
		Eventually(screen).Should(gbytes.Say("later"))
		screen.types("exit\r")
		Expect(screen.exits()).To(BeZero())
		hang := n.ends("hang", v1alpha1.OutcomeCompleted)
		Expect(hang.Status.Transcript.Incomplete).To(BeEmpty())
		cast, files := transcriptIn(folder, hang)
		Expect(cast).
			To(And(HavePrefix(`{"version":2,`), ContainSubstring(`\u001b[31mred`), ContainSubstring("hello"), ContainSubstring("later")))

		out, _, code := alice.dbg(n, "", "web", "--class="+class, "--name=once", "--", "sh", "-c", "seq 2000; printf '\\033[31m'")
		Expect(code).To(BeZero())
		Expect(out).To(ContainSubstring("2000"))
		once := n.ends("once", v1alpha1.OutcomeCompleted)
		text, _ := transcriptIn(folder, once)
		Expect(strings.Split(text, "\n")).To(HaveLen(2001), "all of it, and no more")
		Expect(text).To(HaveSuffix("\n2000\n␛[31m"))

		n.session("copy", "\n  className: "+class+`
  mode: PodCopy
  target: {podName: web}
  debugger: {image: "busybox:1.36", command: [sh, -c, "echo from the copy; sleep 3600"]}
`)
		n.reaches("copy", v1alpha1.PhaseActive)
		n.end("copy")
		copied := n.ends("copy", v1alpha1.OutcomeTerminated)
		text, _ = transcriptIn(folder, copied)
		Expect(text).To(Equal("from the copy\n"))
		Expect(copied.Status.Transcript.Incomplete).To(BeEmpty())

		replayed, _, code := alice.dbg(n, "", "replay", "hang", store, "--speed=100")
		Expect(code).To(BeZero())
		Expect(replayed).To(And(ContainSubstring("hello"), ContainSubstring("\033[31mred"), ContainSubstring("later")))
		verify := func() (string, error) { return tryKubectl("dbg", "audit", "verify", store) }
		Eventually(verify).Should(ContainSubstring("with 3 transcripts: nothing was changed, removed or added"))

		part, err := os.ReadFile(files[0])
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(files[0], []byte(strings.Replace(string(part), "hello", "hallo", 1)), 0o600)).To(Succeed())
		out, err = verify()
		Expect(err).To(HaveOccurred())
		Expect(out + err.Error()).To(ContainSubstring("TranscriptChanged"))
		_, errs, code := alice.dbg(n, "", "replay", "hang", store)
		Expect(code).NotTo(BeZero())
		Expect(errs).To(ContainSubstring("is not what was written"))
	})

	It("is bounded, and so is the operator, when a debugger prints a gigabyte or only escape sequences", func() {
		folder := auditVolume()
		n := newNamespace()
		n.pod("web")
		class := n.class(transcribingClass)
		before := operatorRestarts()

		n.session("gigabyte", fmt.Sprintf(printing, class, "yes $(head -c 1023 /dev/zero | tr '\\0' x) | head -c 1073741824"))
		n.session("escapes", fmt.Sprintf(printing, class, `i=0; while [ $((i+=1)) -le 20000 ]; do printf '\033[2J\033]0;x\007\033c'; done`))
		Eventually(func() v1alpha1.Outcome { return n.get("gigabyte").Status.Outcome }, "4m").Should(Equal(v1alpha1.OutcomeCompleted))
		ended := n.ends("gigabyte", v1alpha1.OutcomeCompleted)
		Expect(ended.Status.Transcript).To(And(HaveField("Cut", true), HaveField("Bytes", BeNumerically("~", 10<<20, 1<<20))))
		text, _ := transcriptIn(folder, ended)
		Expect(text).To(HavePrefix(strings.Repeat(strings.Repeat("x", 1023)+"\n", 2)))
		Expect(text).To(HaveSuffix("[debugsession: the transcript is cut here, as it has reached 10 MiB]\n"))

		ended = n.ends("escapes", v1alpha1.OutcomeCompleted)
		Expect(ended.Status.Transcript.Incomplete).To(BeEmpty())
		text, _ = transcriptIn(folder, ended)
		Expect(text).To(Equal(strings.Repeat("␛[2J␛]0;x␇␛c", 20000)))

		for replica, restarts := range operatorRestarts() { // one that was replaced may still have been there before
			Expect(restarts).To(Equal(before[replica]), "replica %s was not ended for its memory", replica)
		}
		Eventually(func() (string, error) {
			return tryKubectl("dbg", "audit", "verify", "--store=file://"+folder)
		}).Should(ContainSubstring("nothing was changed"))
	})
})

const printing = `
  className: %s
  mode: EphemeralContainer
  target: {podName: web}
  debugger: {image: "busybox:1.36", command: [sh, -c, %q]}
`

// operatorRestarts says of each replica how often it was started again.
func operatorRestarts() map[string]int {
	GinkgoHelper()
	out := namespace(operatorNamespace).kubectl("get", "pods", "-l", operatorPods,
		"-o", "jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}\n{end}")
	restarts := map[string]int{}
	for line := range strings.Lines(out) {
		var replica string
		var count int
		_, err := fmt.Sscan(line, &replica, &count)
		Expect(err).NotTo(HaveOccurred(), "reading %q", line)
		restarts[replica] = count
	}
	Expect(restarts).NotTo(BeEmpty())
	return restarts
}
