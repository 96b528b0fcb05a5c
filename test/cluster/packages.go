//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// nodePackages are the programs that a node needs and Go modules do not give,
// with the Debian package of each. runc comes from there because one built
// without cgo has no seccomp, and containerd's default profile needs it.
var nodePackages = map[string]string{
	"runc":             "runc",
	"nft":              "nftables",
	"ip":               "iproute2",
	"mount":            "mount",
	"/bin/busybox":     "busybox-static",
	"/bin/bash-static": "bash-static",
	"ldd":              "libc-bin",
}

// installPackages installs the packages of those programs that are missing.
func installPackages(ctx context.Context, packages map[string]string) error {
	missing := map[string]bool{}
	for program, pkg := range packages {
		if _, err := exec.LookPath(program); err != nil {
			missing[pkg] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(missing))
	step := beginStep("install " + strings.Join(names, ", "))
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("install %s first: this machine has no apt-get to do it by", strings.Join(names, ", "))
	}
	install := append([]string{"install", "--yes", "--no-install-recommends"}, names...)
	for _, args := range [][]string{{"update"}, install} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("install %s first: apt-get %s could not: %w\n%s", strings.Join(names, ", "), args[0], err, output)
		}
	}
	step.done()
	return nil
}
