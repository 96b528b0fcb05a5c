//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// createNetwork makes the bridge before the first pod does: the API server
// listens on its address. The route keeps traffic to a Service without
// endpoints, or to none at all, from following the default route.
func createNetwork(ctx context.Context) error {
	for _, args := range [][]string{
		{"link", "add", bridgeName, "type", "bridge"},
		{"address", "add", bridgeCIDR, "dev", bridgeName},
		{"link", "set", bridgeName, "up"},
		{"route", "add", serviceCIDR, "dev", bridgeName, "src", nodeAddress},
	} {
		if err := runQuiet(ctx, "ip", args...); err != nil {
			return err
		}
	}
	return runWithInput(ctx, fenceRules(), "nft", "-f", "-")
}

// fenceRules keep pods in and others out, whatever else the machine forwards.
// Rejected rather than dropped, so that a test sees an error and not a timeout.
func fenceRules() string {
	return fill(`
table inet ${fence} {
  chain forward {
    type filter hook forward priority 10;
    iifname "${bridge}" oifname != "${bridge}" reject
    iifname != "${bridge}" oifname "${bridge}" drop
  }
  chain input {
    type filter hook input priority 10;
    iifname != { "lo", "${bridge}" } ip daddr ${node} drop
  }
}
`)
}

// removeNetwork deletes what createNetwork, the CNI plugin and kube-proxy made.
// The route goes with the bridge.
func removeNetwork(ctx context.Context) error {
	var failures []error
	tables, err := listTables(ctx)
	failures = append(failures, err)
	for _, table := range tables {
		failures = append(failures, runQuiet(ctx, "nft", append([]string{"delete", "table"}, table...)...))
	}
	links, err := bridgeLinks()
	failures = append(failures, err)
	for _, link := range links {
		// It may go by itself between these two, with its pod's namespace.
		if err := runQuiet(ctx, "ip", "link", "delete", link); err != nil && linkExists(link) {
			failures = append(failures, err)
		}
	}
	if linkExists(bridgeName) {
		failures = append(failures, runQuiet(ctx, "ip", "link", "delete", bridgeName))
	}
	return errors.Join(failures...)
}

func linkExists(name string) bool {
	_, err := os.Lstat("/sys/class/net/" + name)
	return err == nil
}

// bridgeLinks lists the host's ends of the pods' links.
func bridgeLinks() ([]string, error) {
	entries, err := os.ReadDir("/sys/class/net/" + bridgeName + "/brif")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var links []string
	for _, entry := range entries {
		links = append(links, entry.Name())
	}
	return links, err
}

// listTables finds this cluster's nftables tables, each as family and name.
func listTables(ctx context.Context) ([][]string, error) {
	nft, _ := exec.LookPath("nft")
	if nft == "" {
		return nil, nil // never installed, so nothing was ever made
	}
	output, err := exec.CommandContext(ctx, nft, "list", "tables").Output()
	if err != nil {
		return nil, fmt.Errorf("nft list tables: %w", err)
	}
	return parseTables(string(output)), nil
}

// parseTables reads lines such as `table ip6 kube-proxy`.
func parseTables(output string) [][]string {
	ours := []string{"ip kube-proxy", "ip6 kube-proxy", "inet " + nftFence}
	var tables [][]string
	for line := range strings.Lines(output) {
		table, ok := strings.CutPrefix(strings.TrimSpace(line), "table ")
		if ok && slices.Contains(ours, table) {
			tables = append(tables, strings.Fields(table))
		}
	}
	return tables
}

func runQuiet(ctx context.Context, name string, args ...string) error {
	return runWithInput(ctx, "", name, args...)
}

// runWithInput runs a command whose output matters only when it fails.
func runWithInput(ctx context.Context, input, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(input)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(output))
	}
	return nil
}
