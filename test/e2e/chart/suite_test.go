// Package chart tests the Helm chart in a real cluster, with the real Helm 4 and 3: install, helm test, upgrade, rollback and uninstall
// around a session that runs. `make test-chart` runs it.
package chart

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/test/e2e/command"
)

const (
	root  = "../../.."
	chart = root + "/charts/debugsession"
)

func TestChart(t *testing.T) {
	if os.Getenv("INSTALL") == "" {
		t.Skip("INSTALL names no file that installs the operator: make test-chart brings up a cluster and sets it")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "chart")
}

func apply(manifest string, as ...string) error {
	out, err := command.Try(manifest, "kubectl", append([]string{"apply", "-f", "-"}, as...)...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// gone reports whether an object is not there.
func gone(args ...string) func() string {
	return func() string {
		out, _ := command.Try("", "kubectl", append([]string{"get", "--ignore-not-found", "-o", "name"}, args...)...)
		return out
	}
}

// helm is one of the two, with a release of the chart.
type helm struct {
	binary, release, namespace string
}

func (h helm) try(values string, args ...string) (string, error) {
	args = append(args, "--namespace", h.namespace, "--timeout", "3m")
	if values != "" {
		args = append(args, "--values", "-")
	}
	return command.Try(values, root+"/bin/"+h.binary, args...)
}

func (h helm) do(values string, args ...string) string {
	GinkgoHelper()
	out, err := h.try(values, args...)
	Expect(err).NotTo(HaveOccurred(), "%s %s: %s", h.binary, strings.Join(args, " "), out)
	return out
}

// image are the values that have the chart use the image of a tag.
func image(tag string) string {
	repository := os.Getenv("IMG")
	return "image: {repository: " + repository[:strings.LastIndex(repository, ":")] + ", tag: " + tag + "}\n"
}

func built() string {
	image := os.Getenv("IMG")
	return image[strings.LastIndex(image, ":")+1:]
}
