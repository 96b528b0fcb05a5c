package e2e

import (
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
)

var _ = Describe("kubectl dbg without a cluster", func() {
	It("goes on after 20 seconds: in a terminal, while it waits, and with a file that was half copied", func() {
		n := newNamespace()
		n.pod("web")
		n.edits("--user=alice")
		network := newNetwork()
		alice := person{append(user("alice").flags, network.flags...)}
		screen := alice.opens(n, "dbg", "web", "--idle-timeout=5m", "--name=used")
		waiting := alice.opens(n, "dbg", "later", "--name=waiting")
		Eventually(screen).Should(gbytes.Say(prompt))
		Eventually(waiting).Should(gbytes.Say("later"))
		screen.types("kept=here; head -c 8000000 /dev/urandom >/tmp/big; md5sum </tmp/big; echo re''ady\r")
		Eventually(screen).Should(gbytes.Say("ready"))
		sum := n.exec(n.get("used"), "sh", "-c", "md5sum </tmp/big")

		folder := GinkgoT().TempDir()
		copying, _, errs := alice.command(n, "", "cp", "used:/tmp/big", folder)
		network.cutAfter(4<<20, 20*time.Second)
		Expect(copying.Start()).To(Succeed())
		Eventually(screen).Should(gbytes.Say("reattaching"))
		Eventually(waiting).Should(gbytes.Say("is not responding"))
		Expect(filepath.Join(folder, "big")).NotTo(BeAnExistingFile(), "it is not all there")
		Expect(copying.Wait()).To(Succeed(), string(errs.Contents()))
		Expect(errs.Contents()).To(ContainSubstring("copying again from the beginning"))
		Expect(os.ReadDir(folder)).To(HaveLen(1), "nothing half copied is left")
		content, err := os.ReadFile(filepath.Join(folder, "big"))
		Expect(err).NotTo(HaveOccurred())
		Expect(fmt.Sprintf("%x  -\n", md5.Sum(content))).To(Equal(sum))

		Eventually(func(g Gomega) {
			screen.types("echo it is still $kept\r")
			g.Eventually(screen, "2s").Should(gbytes.Say("it is still here"))
		}).Should(Succeed())
		n.pod("later")
		Eventually(waiting).Should(gbytes.Say(prompt))

		network.cutAfter(4<<20, 0)
		_, again, code := alice.dbg(n, "", "cp", filepath.Join(folder, "big"), "used:/tmp/back")
		Expect(code).To(BeZero(), again)
		Expect(again).To(ContainSubstring("copying again from the beginning"))
		Expect(n.exec(n.get("used"), "sh", "-c", "md5sum </tmp/back")).To(Equal(sum))
		Eventually(func() string { return n.exec(n.get("used"), "ls", "-a", "/tmp") }).ShouldNot(ContainSubstring(".kubectl-dbg-"))
	})
})

var _ = Describe("kubectl dbg of what does not stay up", func() {
	It("offers a copy, and has a prompt in it while the target still waits to be restarted", func() {
		n := newNamespace()
		n.edits("--user=alice")
		n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "exit 1"]}]
`)
		restarts := func() int32 { return n.getPod("web").Status.ContainerStatuses[0].RestartCount }
		Eventually(func() bool {
			statuses := n.getPod("web").Status.ContainerStatuses
			return len(statuses) > 0 && statuses[0].RestartCount >= 3 && statuses[0].State.Running == nil // for 40 s or longer
		}).WithTimeout(2 * time.Minute).Should(BeTrue())
		before := restarts()
		screen := user("alice").opens(n, "dbg", "web", "--name=joined")
		Eventually(screen).Should(gbytes.Say(`Debug a copy instead\? \[Y/n\]`))
		screen.types("\r")
		Eventually(screen).Should(gbytes.Say("; exit ends it"))
		Eventually(screen).Should(gbytes.Say(prompt))
		Expect(restarts()).To(Equal(before), "nothing waited for the target")
		screen.types("exit\r")
		Expect(screen.exits()).To(BeZero())
		Expect(n.get("joined").Spec.End).To(BeTrue(),
			"it ends as soon as its container, which waits for the target too, cannot start any more")
	})
})
