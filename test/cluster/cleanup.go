//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// teardown removes everything of a cluster but its folder, whatever state it is
// in: healthy, half started, half dead. It needs no component to work, and each
// part is tried even if another fails. The context is not the caller's, because
// an interrupt is a reason to clean up and not to stop doing so.
func teardown() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(
		stopComponents(),
		killPods(ctx),
		unmountAll(),
		removeNetwork(ctx),
		removeCgroups(ctx),
		removeOutsideFiles(),
		restoreSysctls(),
	)
}

// removeCluster keeps the folder when something could not be removed: its
// records are what the next try needs.
func removeCluster() error {
	if err := teardown(); err != nil {
		return err
	}
	return removeFolder()
}

// removeFolder deletes the cluster's folder, and only when nothing is mounted in
// it: else the deletion would reach into what is mounted.
func removeFolder() error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	if points := mountsUnder(mounts, clusterDir); len(points) > 0 {
		return fmt.Errorf("%s is kept, for these are still mounted: %s", clusterDir, strings.Join(points, ", "))
	}
	return os.RemoveAll(clusterDir)
}

// stopComponents kills at once: the data is thrown away, and a component that
// has time to say goodbye has time to start something new. First the recorded
// ones, in the reverse of their order of start; then what carries the marker,
// which is the shims and whatever a crash left unrecorded.
func stopComponents() error {
	var failures []error
	order := slices.Concat(startOrder("")...)
	for _, c := range slices.Backward(order) {
		p, err := recorded(c.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = p.stop(syscall.SIGKILL, 10*time.Second)
		}
		failures = append(failures, err)
	}
	left, err := marked()
	failures = append(failures, err)
	for _, id := range left {
		failures = append(failures, id.stop(syscall.SIGKILL, 10*time.Second))
	}
	return errors.Join(failures...)
}

// removeOutsideFiles removes the few files that components put elsewhere with
// no setting to change it.
func removeOutsideFiles() error {
	return errors.Join(removeLogLinks("/var/log/containers"), removeNetworkResults("/var/lib/cni/results"),
		removeDevicePluginSocket("/var/lib/kubelet/device-plugins"))
}

// removeDevicePluginSocket removes the one socket whose place no setting moves.
func removeDevicePluginSocket(dir string) error {
	err := removeEntries(dir, func(path string) bool { return filepath.Base(path) == "kubelet.sock" })
	_ = os.Remove(filepath.Dir(dir)) // /var/lib/kubelet, if empty
	return err
}

// removeLogLinks removes the kubelet's links to this cluster's logs.
func removeLogLinks(dir string) error {
	return removeEntries(dir, func(path string) bool {
		target, err := os.Readlink(path)
		return err == nil && strings.HasPrefix(target, clusterDir+"/")
	})
}

// removeNetworkResults removes the CNI library's notes of this cluster's pods.
func removeNetworkResults(dir string) error {
	err := removeEntries(dir, func(path string) bool {
		return strings.HasPrefix(filepath.Base(path), cniNetwork+"-") || strings.HasPrefix(filepath.Base(path), "cni-loopback-")
	})
	_ = os.Remove(filepath.Dir(dir)) // /var/lib/cni, if empty
	return err
}

// removeEntries removes what matches, and then the folder itself if it is empty.
func removeEntries(dir string, matches func(path string) bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	failures := []error{err}
	for _, entry := range entries {
		if path := filepath.Join(dir, entry.Name()); matches(path) {
			failures = append(failures, os.Remove(path))
		}
	}
	_ = os.Remove(dir) // refused when others have files there
	return errors.Join(failures...)
}
