package e2e

import (
	"fmt"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

// The capabilities that profiles are about, as the kernel numbers them: include/uapi/linux/capability.h.
const (
	capNetAdmin  capabilities = 1 << 12
	capNetRaw    capabilities = 1 << 13
	capSysPtrace capabilities = 1 << 19
	capSysAdmin  capabilities = 1 << 21
)

// capabilities is a set of them, as the kernel writes it.
type capabilities uint64

// privileges is what a process may do, as /proc/self/status tells.
type privileges struct {
	UID                 string
	Effective, Bounding capabilities
	NoNewPrivs, Seccomp string
}

// readPrivileges is the command that tells them. It needs no shell.
const readPrivileges = `[grep, -E, "^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):", /proc/self/status]`

func parsePrivileges(status string) privileges {
	GinkgoHelper()
	fields := map[string]string{}
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) > 1 {
			fields[strings.TrimSuffix(words[0], ":")] = words[1]
		}
	}
	set := func(field string) capabilities {
		bits, err := strconv.ParseUint(fields[field], 16, 64)
		Expect(err).NotTo(HaveOccurred(), "%s in:\n%s", field, status)
		return capabilities(bits)
	}
	return privileges{
		UID: fields["Uid"], Effective: set("CapEff"), Bounding: set("CapBnd"),
		NoNewPrivs: fields["NoNewPrivs"], Seccomp: fields["Seccomp"],
	}
}

var _ = Describe("a profile", func() {
	profiles := v1alpha1.Profiles()

	// given starts a debugger of each profile, and returns what the kernel says that it may do. As each of them only runs
	// a command, this is also what a session without stdin comes to: its output is in its status.
	given := func(mode v1alpha1.Mode) map[v1alpha1.Profile]privileges {
		GinkgoHelper()
		n := newNamespace()
		class := n.class(fmt.Sprintf(`
  modes: [%s]
  nodeNamespace: %s
  profiles: [general, baseline, restricted, netadmin, sysadmin, legacy]
  allowSecurityContext: true
  maxTTL: 10m
  access: {verbs: [Logs]}
`, mode, n))
		target := "nodeName: " + n.pod("web").Spec.NodeName
		if mode != v1alpha1.ModeNode {
			target = "podName: web"
		}
		name := func(p v1alpha1.Profile) string { return strings.ToLower(string(mode) + "-" + string(p)) }
		for _, p := range profiles {
			own := ""
			if p == v1alpha1.ProfileRestricted { // the image's user is root, which the profile forbids
				own = ", securityContext: {runAsUser: 1000}"
			}
			n.session(name(p), fmt.Sprintf(`
  className: %s
  mode: %s
  target: {%s}
  profile: %s
  debugger: {image: "busybox:1.36", command: %s%s}
`, class, mode, target, p, readPrivileges, own))
		}
		told := map[v1alpha1.Profile]privileges{}
		for _, p := range profiles {
			session := n.ends(name(p), v1alpha1.OutcomeCompleted)
			Expect(session.Status.Debugger.ExitCode).To(HaveValue(BeZero()))
			told[p] = parsePrivileges(session.Status.Debugger.Output)
		}
		return told
	}

	DescribeTable("gives a debugger what kubectl debug's gives, as the kernel tells", func(mode v1alpha1.Mode, general capabilities) {
		told := given(mode)
		plain := told[v1alpha1.ProfileBaseline]
		Expect(plain.UID).To(Equal("0"))
		Expect(plain.NoNewPrivs).To(Equal("0"))
		Expect(plain.Effective).NotTo(BeZero(), "what the runtime gives to root")
		Expect(plain.Effective&(capSysPtrace|capNetAdmin|capSysAdmin)).To(BeZero(), "baseline adds nothing")
		Expect(plain.Bounding).To(Equal(plain.Effective))

		adds := func(more capabilities) privileges {
			with := plain
			with.Effective |= more
			with.Bounding |= more
			return with
		}
		Expect(told[v1alpha1.ProfileGeneral]).To(Equal(adds(general)))
		Expect(told[v1alpha1.ProfileNetadmin]).To(Equal(adds(capNetAdmin | capNetRaw)))
		Expect(told[v1alpha1.ProfileLegacy]).To(Equal(plain))

		sysadmin := told[v1alpha1.ProfileSysadmin]
		Expect(sysadmin.Effective&adds(capSysPtrace|capNetAdmin|capSysAdmin).Effective).
			To(Equal(adds(capSysPtrace|capNetAdmin|capSysAdmin).Effective), "privileged: %x", sysadmin.Effective)
		Expect(sysadmin.Seccomp).To(Equal("0"))

		Expect(told[v1alpha1.ProfileRestricted]).To(Equal(privileges{UID: "1000", NoNewPrivs: "1", Seccomp: "2"}),
			"no capability, not even one to gain; seccomp's filter is on")
	},
		Entry("in an ephemeral container", v1alpha1.ModeEphemeralContainer, capSysPtrace),
		Entry("in a copy", v1alpha1.ModePodCopy, capSysPtrace),
		Entry("on a node, where general adds no capability", v1alpha1.ModeNode, capabilities(0)),
	)

	It("is not in the way of a container that is there, has capabilities, and forbids privilege escalation", func() {
		n := newNamespace()
		n.podWith(`
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: busybox:1.36
    command: [sleep, "1000"]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [SYS_PTRACE, CHOWN]}}
`)
		takesOver := func(profile string) {
			n.session(profile, fmt.Sprintf(`
  className: e2e-everything
  target: {podName: web}
  mode: PodCopy
  profile: %s
  debugger: {container: app, command: %s}
`, profile, readPrivileges))
		}
		takesOver("general")
		takesOver("sysadmin")
		output := func(session string) string {
			return n.ends(session, v1alpha1.OutcomeCompleted).Status.Debugger.Output
		}
		Expect(parsePrivileges(output("general"))).To(Equal(
			privileges{UID: "0", Effective: capSysPtrace | 1, Bounding: capSysPtrace | 1, NoNewPrivs: "1", Seccomp: "0"}))
		Expect(parsePrivileges(output("sysadmin")).Effective & capSysAdmin).NotTo(BeZero())
	})

	It("that forbids root, with an image that is root's, says what to set", func() {
		n := newNamespace()
		n.pod("web")
		n.session("root", shell+"  profile: restricted\n")
		Eventually(func() string { return n.get("root").Status.Message() }).
			Should(ContainSubstring("set debugger.securityContext.runAsUser"))
	})
})
