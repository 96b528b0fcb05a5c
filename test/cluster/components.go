//go:build linux

package main

import (
	"path/filepath"
	"slices"
	"strings"
)

// component is one program of the cluster.
type component struct {
	name  string
	argv  []string
	ready probe
}

// startOrder is who waits for whom: a group starts together when the one before
// it is ready. Teardown goes the other way.
func startOrder(bin string) [][]component {
	return [][]component{
		{etcd(bin), registryComponent(), containerd(bin)},
		{apiServer(bin)},
		{controllerManager(bin), scheduler(bin), kubelet(bin), proxy(bin)},
	}
}

// findComponent accepts kube-apiserver as well as apiserver.
func findComponent(bin, name string) (component, error) {
	all := slices.Concat(startOrder(bin)...)
	var names []string
	for _, c := range all {
		if c.name == strings.TrimPrefix(name, "kube-") {
			return c, nil
		}
		names = append(names, c.name)
	}
	return component{}, usageError("there is no component %q; there are %s", name, strings.Join(names, ", "))
}

func etcd(bin string) component {
	return component{"etcd", []string{filepath.Join(bin, "etcd"),
		"--data-dir=" + inCluster("etcd"),
		"--listen-client-urls=https://127.0.0.1:2379", "--advertise-client-urls=https://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=default=http://127.0.0.1:2380",
		"--listen-metrics-urls=http://127.0.0.1:2381",
		"--cert-file=" + pkiPath("etcd.crt"), "--key-file=" + pkiPath("etcd.key"),
		"--trusted-ca-file=" + pkiPath("etcd-ca.crt"), "--client-cert-auth",
		// The data is thrown away with the cluster. It survives a killed etcd
		// all the same, only not a machine that loses power.
		"--unsafe-no-fsync",
	}, httpProbe("http://127.0.0.1:2381/health")}
}

// registryComponent runs a copy of this tool: `go run` deletes the binary it made
// when the command ends, and a component must be startable again.
func registryComponent() component {
	return component{"registry", []string{inCluster("bin", "cluster"), "registry"}, httpProbe("http://" + registryAddress + "/readyz")}
}

func containerd(bin string) component {
	return component{"containerd", []string{filepath.Join(bin, "containerd"), "--config=" + inCluster("containerd.toml")},
		socketProbe(containerdSocket())}
}

func apiServer(bin string) component {
	return component{"apiserver", []string{filepath.Join(bin, "kube-apiserver"),
		// Not 0.0.0.0: pods reach this address, other machines do not.
		"--bind-address=" + nodeAddress, "--advertise-address=" + nodeAddress, "--secure-port=6443",
		"--tls-cert-file=" + pkiPath("apiserver.crt"), "--tls-private-key-file=" + pkiPath("apiserver.key"),
		"--client-ca-file=" + pkiPath("ca.crt"),
		"--etcd-servers=https://127.0.0.1:2379", "--etcd-cafile=" + pkiPath("etcd-ca.crt"),
		"--etcd-certfile=" + pkiPath("apiserver-etcd-client.crt"), "--etcd-keyfile=" + pkiPath("apiserver-etcd-client.key"),
		"--kubelet-certificate-authority=" + pkiPath("ca.crt"),
		"--kubelet-client-certificate=" + pkiPath("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + pkiPath("apiserver-kubelet-client.key"),
		// By default the node's name comes first, and nothing resolves it.
		"--kubelet-preferred-address-types=InternalIP",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		// The debugging profiles sysadmin and netadmin need privileged containers.
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pkiPath("service-account.pub"),
		"--service-account-signing-key-file=" + pkiPath("service-account.key"),
		"--requestheader-client-ca-file=" + pkiPath("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pkiPath("front-proxy-client.crt"),
		"--proxy-client-key-file=" + pkiPath("front-proxy-client.key"),
	}, apiServerProbe}
}

func controllerManager(bin string) component {
	config := kubeconfigPath("controller-manager")
	return component{"controller-manager", []string{filepath.Join(bin, "kube-controller-manager"),
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false", // there is one, and it should not wait for a dead one's lease
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + pkiPath("service-account.key"),
		"--root-ca-file=" + pkiPath("ca.crt"),
		"--cluster-signing-cert-file=" + pkiPath("ca.crt"), "--cluster-signing-key-file=" + pkiPath("ca.key"),
		"--requestheader-client-ca-file=" + pkiPath("front-proxy-ca.crt"),
		"--flex-volume-plugin-dir=" + inCluster("kubelet", "volume-plugins"),
	}, selfSignedProbe("https://127.0.0.1:10257/healthz")}
}

func scheduler(bin string) component {
	config := kubeconfigPath("scheduler")
	return component{"scheduler", []string{filepath.Join(bin, "kube-scheduler"),
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
	}, selfSignedProbe("https://127.0.0.1:10259/healthz")}
}

func kubelet(bin string) component {
	return component{"kubelet", []string{filepath.Join(bin, "kubelet"),
		"--config=" + inCluster("kubelet.yaml"),
		"--kubeconfig=" + kubeconfigPath("kubelet"),
		"--root-dir=" + inCluster("kubelet"), "--cert-dir=" + inCluster("kubelet", "pki"),
		"--hostname-override=" + nodeName, "--node-ip=" + nodeAddress,
	}, httpProbe("http://127.0.0.1:10248/healthz")}
}

func proxy(bin string) component {
	return component{"proxy", []string{filepath.Join(bin, "kube-proxy"),
		"--config=" + inCluster("proxy.yaml"), "--hostname-override=" + nodeName,
	}, httpProbe("http://127.0.0.1:10256/healthz")}
}
