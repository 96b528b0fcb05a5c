package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// manifest writes install.yaml, which names the image by digest.
func (r *release) manifest(image string) error {
	data, err := os.ReadFile("dist/install.yaml")
	if err != nil {
		return err
	}
	if data, err = replace(data, 2, ": debugsession/operator:dev\n", ": "+image+"\n"); err != nil { // the operator is told of it, too
		return fmt.Errorf("dist/install.yaml: %w", err)
	}
	return r.write("install.yaml", data)
}

// chart packages the Helm chart, whose default image is the release's.
func (r *release) chart(digest string) error {
	packaged, err := loader.LoadDir("charts/debugsession")
	if err != nil {
		return err
	}
	packaged.Metadata.Version, packaged.Metadata.AppVersion = strings.TrimPrefix(r.version, "v"), r.version
	for _, file := range packaged.Raw {
		if file.Name != chartutil.ValuesfileName {
			continue
		}
		if file.Data, err = replace(file.Data, 1, "\n  repository: debugsession/operator\n", "\n  repository: "+r.repository+"\n"); err != nil {
			return fmt.Errorf("the chart's values.yaml: %w", err)
		}
		if file.Data, err = replace(file.Data, 1, "\n  digest: \"\"\n", "\n  digest: "+digest+"\n"); err != nil {
			return fmt.Errorf("the chart's values.yaml: %w", err)
		}
	}
	r.setTimes(packaged)
	_, err = chartutil.Save(packaged, r.out)
	return err
}

// setTimes sets those that the package would have of the files of this machine.
func (r *release) setTimes(packaged *chart.Chart) {
	packaged.ModTime, packaged.SchemaModTime = r.time, r.time
	for _, file := range packaged.Raw {
		file.ModTime = r.time
	}
	for _, file := range packaged.Templates {
		file.ModTime = r.time
	}
	for _, file := range packaged.Files {
		file.ModTime = r.time
	}
}

func replace(data []byte, times int, old, replacement string) ([]byte, error) {
	if n := bytes.Count(data, []byte(old)); n != times {
		return nil, fmt.Errorf("there should be %d of %q to replace, and there are %d", times, old, n)
	}
	return bytes.ReplaceAll(data, []byte(old), []byte(replacement)), nil
}
