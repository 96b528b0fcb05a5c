package e2e

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/test/docs"
)

// What a reader would type, in the order of the page, and what the page says that they would see. test/docs holds which blocks run.
var _ = DescribeTable("the commands of a page", func(page string, namespaces ...namespace) {
	for _, n := range namespaces {
		if _, err := tryKubectl("get", "namespace", string(n)); err == nil {
			Skip("there is a namespace " + string(n) + ", which is not this test's")
		}
		DeferCleanup(func() {
			if CurrentSpecReport().Failed() {
				n.show()
			}
			kubectl("delete", "namespace", string(n), "--ignore-not-found", "--wait=false")
			made = append(made, n)
		})
	}
	const root = "../.."
	blocks, err := docs.Blocks(root, page)
	Expect(err).NotTo(HaveOccurred())
	ran := 0
	for _, block := range blocks {
		if block.Mark.Kind != docs.RunsInE2E {
			continue
		}
		for _, typed := range block.Commands() {
			ran++
			By(block.String() + ": " + typed.Line)
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", typed.Line)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			cancel()
			Expect(err).NotTo(HaveOccurred(), "%s: %s\n%s", block, typed.Line, out)
			for _, shown := range typed.Shows {
				Expect(slices.ContainsFunc(strings.Split(string(out), "\n"), func(line string) bool { return docs.Matches(shown, line) })).
					To(BeTrue(), "%s: %s\nshould print\n%s\nand printed\n%s", block, typed.Line, shown, out)
			}
		}
	}
	Expect(ran).To(BeNumerically(">", 3), "commands of %s", page)
},
	Entry("install", "docs/install.md"),
	Entry("first session", "docs/first-session.md", namespace("first-session")),
)
