//go:build linux

package main

import "path/filepath"

// One cluster a machine: these names and addresses are the machine's, so a
// second cluster would need all of them to differ.
const (
	// clusterDir is short because unix socket paths end at 107 bytes.
	clusterDir = "/var/lib/debugsession-cluster"
	lockFile   = "/run/debugsession-cluster.lock"

	nodeName   = "node"
	bridgeName = "dscluster0"
	cniNetwork = "debugsession"
	nftFence   = "debugsession-cluster"
	// cgroupName is the parent of every pod's cgroup: what is in it is ours.
	cgroupName = "debugsession-cluster"

	// nodeAddress is the bridge's. It exists on this machine alone, and is the
	// one address that both pods and the host's own processes can reach; the
	// API server cannot advertise loopback.
	nodeAddress  = "10.244.0.1"
	podCIDR      = "10.244.0.0/22"
	bridgeCIDR   = nodeAddress + "/22"
	serviceCIDR  = "10.96.0.0/16"
	apiServiceIP = "10.96.0.1"

	apiServerURL    = "https://" + nodeAddress + ":6443"
	registryAddress = "127.0.0.1:5010"

	pauseImage = "registry.k8s.io/pause:3.10.2"
)

// inCluster is a path in the cluster's folder.
func inCluster(elements ...string) string {
	return filepath.Join(append([]string{clusterDir}, elements...)...)
}

func pkiPath(name string) string        { return inCluster("pki", name) }
func kubeconfigPath(name string) string { return inCluster("kubeconfigs", name+".kubeconfig") }
func userPath(name string) string       { return inCluster("users", name+".kubeconfig") }
func logPath(component string) string   { return inCluster("logs", component+".log") }

func containerdSocket() string { return inCluster("containerd", "containerd.sock") }
