package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kubectlVersion is the kubectl that this project follows. Another one has other profiles, and comparing with it would
// say nothing.
const kubectlVersion = "v1.37."

// kubectl runs the real command.
type kubectl struct {
	path, kubeconfig, folder string
}

func newKubectl(ctx context.Context, path, kubeconfig, folder string) (*kubectl, error) {
	k := &kubectl{path: path, kubeconfig: kubeconfig, folder: folder}
	out, err := k.run(ctx, "version", "--client", "--output=json")
	if err != nil {
		return nil, err
	}
	var version struct {
		ClientVersion struct {
			GitVersion string `json:"gitVersion"`
		} `json:"clientVersion"`
	}
	if err := json.Unmarshal([]byte(out), &version); err != nil {
		return nil, fmt.Errorf("reading the version of %s: %w", path, err)
	}
	if !strings.HasPrefix(version.ClientVersion.GitVersion, kubectlVersion) {
		return nil, fmt.Errorf("%s is %s: this compares with %sx", path, version.ClientVersion.GitVersion, kubectlVersion)
	}
	return k, nil
}

// debug runs kubectl debug on a pod, or on a node by node/ and its name, and returns kubectl's refusal, or "" if it did what it was told.
func (k *kubectl) debug(ctx context.Context, namespace, target string, c *testCase) (refusal string, err error) {
	args := []string{"debug", target, "--namespace=" + namespace, "--attach=false", "--quiet"}
	if len(c.Custom) > 0 {
		custom := filepath.Join(k.folder, namespace+".json")
		if err := os.WriteFile(custom, c.Custom, 0o600); err != nil {
			return "", err
		}
		args = append(args, "--custom="+custom)
	}
	if _, err = k.run(ctx, append(args, c.Kubectl...)...); err == nil {
		return "", nil
	}
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.message, nil
	}
	return "", err
}

// refusedError is kubectl's own words.
type refusedError struct{ message string }

func (e *refusedError) Error() string { return "kubectl: " + e.message }

func (k *kubectl) run(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, k.path, append([]string{"--kubeconfig=" + k.kubeconfig, "--cache-dir=" + filepath.Join(k.folder, "cache")}, args...)...)
	command.Env = append(os.Environ(), "HOME="+k.folder, "KUBERC=off")
	var out, problem bytes.Buffer
	command.Stdout, command.Stderr = &out, &problem
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return "", &refusedError{message: strings.TrimSpace(problem.String())}
	}
	return out.String(), err
}
