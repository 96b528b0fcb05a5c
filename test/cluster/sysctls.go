//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// changedSysctls are all that this tool, the kubelet, kube-proxy and the bridge
// plugin are known to set. Recorded before the first start, restored by down.
var changedSysctls = []string{
	"net/ipv4/ip_forward",
	"net/ipv4/conf/all/route_localnet",
	"net/bridge/bridge-nf-call-iptables",
	"net/netfilter/nf_conntrack_max",
	"net/netfilter/nf_conntrack_tcp_timeout_established",
	"net/netfilter/nf_conntrack_tcp_timeout_close_wait",
	"vm/overcommit_memory",
	"vm/panic_on_oom",
	"kernel/panic",
	"kernel/panic_on_oops",
	"kernel/keys/root_maxkeys",
	"kernel/keys/root_maxbytes",
}

func sysctlPath(name string) string { return filepath.Join("/proc/sys", name) }

func sysctlRecord() string { return inCluster("sysctls.json") }

func recordSysctls() error {
	values := map[string]string{}
	for _, name := range changedSysctls {
		value, err := os.ReadFile(sysctlPath(name))
		if err == nil {
			values[name] = strings.TrimSpace(string(value))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	content, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(sysctlRecord(), content, 0o644)
}

// setSysctls: without br_netfilter a pod that calls a Service whose endpoint is
// on the same bridge gets its answer from the wrong address.
func setSysctls() error {
	const bridged = "net/bridge/bridge-nf-call-iptables"
	if _, err := os.Stat(sysctlPath(bridged)); err != nil {
		_ = exec.Command("modprobe", "br_netfilter").Run() // its failure shows in the next line
		if _, err := os.Stat(sysctlPath(bridged)); err != nil {
			return fmt.Errorf("the kernel has no br_netfilter, which Services between pods need; load or build that module")
		}
	}
	for _, name := range []string{"net/ipv4/ip_forward", bridged} {
		if err := os.WriteFile(sysctlPath(name), []byte("1"), 0); err != nil {
			return err
		}
	}
	return nil
}

// restoreSysctls writes only what differs: some may be read-only here.
func restoreSysctls() error {
	content, err := os.ReadFile(sysctlRecord())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was changed yet
	} else if err != nil {
		return err
	}
	values := map[string]string{}
	if err := json.Unmarshal(content, &values); err != nil {
		return fmt.Errorf("%s: %w", sysctlRecord(), err)
	}
	var failures []error
	for name, want := range values {
		now, err := os.ReadFile(sysctlPath(name))
		if err == nil && strings.TrimSpace(string(now)) != want {
			err = os.WriteFile(sysctlPath(name), []byte(want), 0)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}
