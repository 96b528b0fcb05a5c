//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
)

// writeConfigs writes the components' configuration files. Every path that a
// component would otherwise choose for itself (/run/containerd, /var/lib/kubelet,
// /opt/cni and so on) is set to one in the cluster's folder: a container engine
// or a kubelet of the machine's own is left alone, and down removes it all.
func writeConfigs(bin string) error {
	files := map[string]string{
		"containerd.toml":                    containerdConfig(bin),
		"certs.d/_default/hosts.toml":        fmt.Sprintf("server = %q\n", "http://"+registryAddress),
		"cni/net.d/10-debugsession.conflist": cniConfig(),
		"kubelet.yaml":                       kubeletConfig(),
		"proxy.yaml":                         proxyConfig(),
		"resolv.conf":                        "nameserver " + dnsAddress + "\n",
	}
	for name, content := range files {
		if err := os.WriteFile(inCluster(name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// folders are made before any component starts.
var folders = []string{
	"pki", "kubeconfigs", "users", "logs", "processes", "bin", "images", "manifests",
	"etcd", "certs.d/_default", "cni/net.d", "cni/networks", "containerd", "kubelet", "pod-logs", "s",
}

// containerdConfig: the _default host of certs.d answers for every registry
// name, and as `server` it also replaces the upstream that containerd would
// fall back to. Shim sockets get the shortest path there is.
func containerdConfig(bin string) string {
	return strings.NewReplacer(
		"BIN", bin, "DIR", clusterDir, "SOCKET", containerdSocket(), "PAUSE", pauseImage,
		"RESTRICT_OOM", fmt.Sprint(!hasCapability(capSysResource)),
	).Replace(`version = 4
root = 'DIR/containerd/root'
state = 'DIR/containerd/state'
imports = []

[plugins.'io.containerd.server.v1.grpc']
  address = 'SOCKET'
[plugins.'io.containerd.server.v1.ttrpc']
  address = 'SOCKET.ttrpc'
[plugins.'io.containerd.shim.v1.manager']
  socket_dir = 'DIR/s'
[plugins.'io.containerd.internal.v1.opt']
  path = 'DIR/containerd/opt'
[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'PAUSE'
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = 'DIR/certs.d'

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE no process may lower its OOM score.
  restrict_oom_score_adj = RESTRICT_OOM
  netns_mounts_under_state_dir = true
  cdi_spec_dirs = []
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  Root = 'DIR/containerd/runc'
  SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['BIN']
  conf_dir = 'DIR/cni/net.d'
`)
}

// cniConfig: hairpin mode lets a pod reach itself through a Service. No
// masquerading: pod traffic does not leave the machine.
func cniConfig() string {
	return fmt.Sprintf(`{
  "cniVersion": "1.0.0",
  "name": %q,
  "plugins": [{
    "type": "bridge",
    "bridge": %q,
    "isDefaultGateway": true,
    "hairpinMode": true,
    "ipam": {
      "type": "host-local",
      "dataDir": %q,
      "ranges": [[{"subnet": %q, "gateway": %q}]]
    }
  }]
}
`, cniNetwork, bridgeName, inCluster("cni", "networks"), podCIDR, nodeAddress)
}

// kubeletConfig: no eviction and no image garbage collection, because the disk
// is the machine's and its fullness is not the tests' concern. Cgroup v1 hosts
// are accepted: machines that run CI still have them.
func kubeletConfig() string {
	return strings.NewReplacer("DIR", clusterDir, "SOCKET", containerdSocket(), "NODE", nodeAddress,
		"DNS", dnsAddress, "CGROUP", cgroupName).Replace(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: NODE
healthzBindAddress: 127.0.0.1
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: DIR/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: DIR/pki/kubelet.crt
tlsPrivateKeyFile: DIR/pki/kubelet.key
containerRuntimeEndpoint: unix://SOCKET
cgroupDriver: cgroupfs
cgroupRoot: /CGROUP
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
clusterDNS: [DNS]
clusterDomain: cluster.local
resolvConf: DIR/resolv.conf
podLogsDir: DIR/pod-logs
volumePluginDir: DIR/kubelet/volume-plugins
staticPodPath: DIR/manifests
maxPods: 500
serializeImagePulls: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 0%, imagefs.available: 0%, nodefs.inodesFree: 0%, imagefs.inodesFree: 0%}
`)
}

// proxyConfig: zero means that the machine's connection tracking limits stay.
func proxyConfig() string {
	return strings.NewReplacer("DIR", clusterDir, "PODS", podCIDR).Replace(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: DIR/kubeconfigs/proxy.kubeconfig}
clusterCIDR: PODS
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {syncPeriod: 30s}
`)
}
