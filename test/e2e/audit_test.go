package e2e

import (
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
)

const auditedSession = `
  reason: "INC-1234: requests hang"
  target: {podName: web}
  debugger: {image: "busybox:1.36", command: [sh, -c, "exit 3"]}
`

var _ = Describe("an audit record", func() {
	It("is in the operator's log, whole; and where there is no store a class that requires one starts nothing", func() {
		n := newNamespace()
		n.pod("web")
		class := n.class("  modes: [EphemeralContainer]\n  profiles: [general]\n  maxTTL: 1h\n  audit: Required\n")
		n.session("required", "  className: "+class+auditedSession)
		n.session("hang", strings.TrimPrefix(auditedSession, "\n"))
		session := n.ends("hang", v1alpha1.OutcomeCompleted)

		record := func() *audit.Record {
			for line := range strings.Lines(kubectl("-n", operatorNamespace, "logs", "-l", operatorPods, "--since=120s", "--tail=-1")) {
				var entry struct {
					Msg    string       `json:"msg"`
					Record audit.Record `json:"record"`
				}
				if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "audit record" && entry.Record.Session != nil &&
					entry.Record.Session.UID == string(session.UID) {
					return &entry.Record
				}
			}
			return nil
		}
		Eventually(record).ShouldNot(BeNil())
		found := record().Session
		Expect(found.Reason).To(Equal("INC-1234: requests hang"))
		Expect(found.Spec.Debugger.Command).To(Equal([]string{"sh", "-c", "exit 3"}))
		Expect(found.Debugger.ImageID).NotTo(BeEmpty())
		Expect(*found.Debugger.ExitCode).To(BeEquivalentTo(3))
		Expect(found.Outcome).To(Equal(v1alpha1.OutcomeCompleted))

		waiting := n.get("required")
		Expect(waiting.Status.Phase).To(Equal(v1alpha1.PhasePending))
		Expect(waiting.Status.Reason).To(Equal(v1alpha1.ReasonNoAuditStore))
		Expect(waiting.Status.Message()).To(ContainSubstring("--audit-store=URL"))
		n.kubectl("delete", "dbg", "required", "--timeout=30s")
	})
})
