//go:build linux

package main

import (
	"fmt"
	"os"
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
		"resolv.conf":                        "nameserver " + nodeAddress + "\n",
	}
	for name, content := range files {
		if err := os.WriteFile(inCluster(name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fill replaces ${name} in a template, by what is the same for all or by the
// names and values given.
func fill(template string, more ...string) string {
	values := map[string]string{
		"dir": clusterDir, "socket": containerdSocket(), "pause": pauseImage,
		"node": nodeAddress, "pods": podCIDR, "cgroup": cgroupName,
		"bridge": bridgeName, "fence": nftFence,
	}
	for i := 0; i < len(more); i += 2 {
		values[more[i]] = more[i+1]
	}
	return os.Expand(template, func(name string) string {
		if value, known := values[name]; known {
			return value
		}
		return "${" + name + "}" // a mistake in the template; a test looks for it
	})
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
	return fill(`version = 4
root = '${dir}/containerd/root'
state = '${dir}/containerd/state'
imports = []

[plugins.'io.containerd.server.v1.grpc']
  address = '${socket}'
[plugins.'io.containerd.server.v1.ttrpc']
  address = '${socket}.ttrpc'
[plugins.'io.containerd.shim.v1.manager']
  socket_dir = '${dir}/s'
[plugins.'io.containerd.internal.v1.opt']
  path = '${dir}/containerd/opt'
[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '${pause}'
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '${dir}/certs.d'

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE no process may lower its OOM score.
  restrict_oom_score_adj = ${restrictOOM}
  netns_mounts_under_state_dir = true
  cdi_spec_dirs = []
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  Root = '${dir}/containerd/runc'
  SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['${bin}']
  conf_dir = '${dir}/cni/net.d'
`, "bin", bin, "restrictOOM", fmt.Sprint(!hasCapability(capSysResource)))
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
// are accepted: machines that run CI still have them. Nothing answers at the DNS
// address, and it says so at once: a lookup fails instead of hanging or leaving
// the machine.
func kubeletConfig() string {
	return fill(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: ${node}
healthzBindAddress: 127.0.0.1
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: ${dir}/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: ${dir}/pki/kubelet.crt
tlsPrivateKeyFile: ${dir}/pki/kubelet.key
containerRuntimeEndpoint: unix://${socket}
cgroupDriver: cgroupfs
cgroupRoot: /${cgroup}
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
clusterDNS: [${node}]
clusterDomain: cluster.local
resolvConf: ${dir}/resolv.conf
podLogsDir: ${dir}/pod-logs
volumePluginDir: ${dir}/kubelet/volume-plugins
staticPodPath: ${dir}/manifests
maxPods: 500
serializeImagePulls: false
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 0%, imagefs.available: 0%, nodefs.inodesFree: 0%, imagefs.inodesFree: 0%}
`)
}

// proxyConfig: zero means that the machine's connection tracking limits stay.
func proxyConfig() string {
	return fill(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: ${dir}/kubeconfigs/proxy.kubeconfig}
clusterCIDR: ${pods}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {syncPeriod: 30s}
`)
}
