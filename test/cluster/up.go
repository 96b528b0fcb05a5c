//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// up brings the cluster from nothing to a Ready node, or leaves nothing running.
func up(ctx context.Context) error {
	r, err := chosenRelease()
	if err != nil {
		return err
	}
	total := newStep("cluster of Kubernetes " + r.version + " up")
	if err := preflight(); err != nil {
		return err
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	if healthy(ctx) {
		return fmt.Errorf("a cluster is up already: use it with KUBECONFIG=%s, or stop it with `down`", userPath("admin"))
	}
	if err := installPackages(ctx, nodePackages); err != nil {
		return err
	}
	bin, err := build(ctx, r, controlPlane(r), node(r), runtimeAndNetwork)
	if err != nil {
		return err
	}
	if _, err := os.Stat(clusterDir); err == nil {
		step := newStep("remains of an earlier cluster removed")
		if err := removeCluster(); err != nil {
			return fmt.Errorf("the remains of an earlier cluster: %w", err)
		}
		step.done()
	}
	if err := start(ctx, r, bin); err != nil {
		if ctx.Err() != nil { // what was under way then is not to blame
			err = errors.New("interrupted; what had started is stopped")
		}
		// The folder stays, for its logs; the next up or down removes it.
		return errors.Join(err, teardown())
	}
	total.done()
	fmt.Fprintf(os.Stderr, "export KUBECONFIG=%s\n", userPath("admin"))
	return nil
}

func start(ctx context.Context, r release, bin string) error {
	step := newStep("machine, certificates and images prepared")
	if err := prepare(ctx, bin); err != nil {
		return err
	}
	step.done()
	for _, group := range startOrder(bin) {
		if err := startGroup(ctx, group); err != nil {
			return err
		}
	}
	if err := allowKubeletAPI(ctx); err != nil {
		return &componentError{"apiserver", err}
	}
	for _, last := range []struct {
		name, component string
		probe           probe
	}{
		{"node ready", "kubelet", nodeProbe},
		{"default service account made", "controller-manager", serviceAccountProbe},
	} {
		step := newStep(last.name)
		if err := await(ctx, last.probe, nil); err != nil {
			return &componentError{last.component, err}
		}
		step.done()
	}
	return os.WriteFile(completeMark(), []byte(r.version), 0o644)
}

// completeMark is the file that says up got to its end, and with which version.
// All components may run before that, in a cluster that still lacks something.
func completeMark() string { return inCluster("complete") }

func prepare(ctx context.Context, bin string) error {
	for _, folder := range folders {
		if err := os.MkdirAll(inCluster(folder), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(inCluster("pki"), 0o700); err != nil {
		return err
	}
	if err := recordSysctls(); err != nil {
		return err
	}
	for _, do := range []func() error{
		setSysctls,
		createCgroups,
		func() error { return createNetwork(ctx) },
		writePKI,
		func() error { return writeConfigs(bin) },
		copyTool,
		func() error { return writeStockImages(ctx) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// copyTool keeps this binary for the registry component.
func copyTool() error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	copied, err := os.OpenFile(inCluster("bin", "cluster"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, self)
	return errors.Join(err, copied.Close())
}

// startGroup launches all before it waits for the first.
func startGroup(ctx context.Context, group []component) error {
	exits := make([]<-chan struct{}, len(group))
	steps := make([]step, len(group))
	for i, c := range group {
		steps[i] = newStep(c.name + " ready")
		var err error
		if _, exits[i], err = launch(c.name, c.argv); err != nil {
			return err
		}
	}
	for i, c := range group {
		if err := await(ctx, c.ready, exits[i]); err != nil {
			return &componentError{c.name, err}
		}
		steps[i].done()
	}
	return nil
}

// healthy: up got to its end, every component runs and the API server says it is
// ready. Anything less is remains, for up to remove.
func healthy(ctx context.Context) bool {
	if _, err := os.Stat(completeMark()); err != nil {
		return false
	}
	for _, c := range slices.Concat(startOrder("")...) {
		p, err := recorded(c.name)
		if err != nil || !p.alive() {
			return false
		}
	}
	return apiServerProbe(ctx) == nil
}

// down removes everything, and is content when there is nothing.
func down(context.Context) error {
	if os.Geteuid() != 0 {
		return cannotRun("only root can stop a node: run this as root")
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	step := newStep("cluster down")
	if err := removeCluster(); err != nil {
		return err
	}
	step.done()
	return nil
}

func printKubeconfig(context.Context) error {
	path := userPath("admin")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no cluster; make one with `up`")
	} else if err != nil {
		return err
	}
	if err := isChosen(); err != nil {
		return err
	}
	fmt.Println(filepath.Clean(path))
	return nil
}

// isChosen keeps tests of one version from a cluster that was left up with another.
func isChosen() error {
	r, err := chosenRelease()
	if err != nil {
		return err
	}
	up, err := os.ReadFile(completeMark())
	if errors.Is(err, fs.ErrNotExist) { // up has not got to its end
		return nil
	}
	if err != nil || string(up) == r.version {
		return err
	}
	return fmt.Errorf("the cluster that is up is of Kubernetes %s, and not of %s: name its minor version in K8S_VERSION, or stop it with `down`", up, r.version)
}
