package operator

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// oldestMinor is that of the oldest Kubernetes that the operator is made for and was tried with: see docs/versions.md.
const oldestMinor = 33

// features are what sessions make use of and an API server has since some minor version of Kubernetes 1: see docs/versions.md, also for
// what the operator does without.
var features = []struct {
	name  string
	since uint
}{
	{"WatchList", 34},
	{"containers[].restartPolicy", 34},
	{"env[].valueFrom.fileKeyRef", 35},
	{"volumeMounts[].bindMountOptions", 37},
}

// LogStart logs which operator starts, and on which Kubernetes. That cannot be read is no reason not to start.
func LogStart(ctx context.Context, config *rest.Config, own string) {
	said := log.FromContext(ctx).WithValues("version", own)
	server, err := serverVersion(config)
	if err != nil {
		said.Info("starting, without knowing the API server's version", "error", err.Error())
		return
	}
	logVersions(said.WithValues("serverVersion", server), server)
}

func logVersions(said logr.Logger, server string) {
	parsed, err := version.ParseGeneric(server)
	if err != nil {
		said.Info("starting, without knowing the API server's version", "error", err.Error())
		return
	}
	said.Info("starting", "missingFeatures", missing(parsed))
	if parsed.LessThan(version.MajorMinor(1, oldestMinor)) {
		said.Info("the API server is older than any that this operator was tried with: sessions may fail to start or to end. Upgrade Kubernetes",
			"oldest", fmt.Sprintf("1.%d", oldestMinor))
	}
}

// missing are the features that an API server does not have. One may also be disabled.
func missing(server *version.Version) []string {
	names := []string{}
	for _, feature := range features {
		if server.LessThan(version.MajorMinor(1, feature.since)) {
			names = append(names, feature.name)
		}
	}
	return names
}

func serverVersion(config *rest.Config) (string, error) {
	config = rest.CopyConfig(config)
	config.Timeout = awaitPatience
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return "", err
	}
	info, err := client.ServerVersion()
	if err != nil {
		return "", err
	}
	return info.GitVersion, nil
}
