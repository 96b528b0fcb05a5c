//go:build linux

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroupHierarchies lists where cgroups are mounted: one place with cgroup v2,
// one for each controller with v1.
func cgroupHierarchies() ([]string, error) {
	mounts, err := readMounts()
	if err != nil {
		return nil, err
	}
	var points []string
	for _, m := range mounts {
		if m.root == "/" && (m.fsType == "cgroup" || m.fsType == "cgroup2") && !slices.Contains(points, m.point) {
			points = append(points, m.point)
		}
	}
	return points, nil
}

// createCgroups makes the parent of every pod's cgroup; the kubelet wants it to
// exist.
func createCgroups() error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range hierarchies {
		if err := delegateControllers(hierarchy); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(hierarchy, cgroupName), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// delegateControllers: with cgroup v2, a child has the controllers that its
// parent gives it. With v1 there is no such file, and nothing to do.
func delegateControllers(hierarchy string) error {
	available, err := os.ReadFile(filepath.Join(hierarchy, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for controller := range strings.FieldsSeq(string(available)) {
		if err := os.WriteFile(filepath.Join(hierarchy, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return err
		}
	}
	return nil
}

// podCgroups lists this cluster's cgroups, each before its parent.
func podCgroups() ([]string, error) {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, hierarchy := range hierarchies {
		err := filepath.WalkDir(filepath.Join(hierarchy, cgroupName), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Reverse(dirs)
	return dirs, nil
}

// killPods kills whatever runs in the pods' cgroups, until nothing does. It
// needs neither kubelet nor containerd.
func killPods(ctx context.Context) error {
	for ctx.Err() == nil {
		dirs, err := podCgroups()
		if err != nil {
			return err
		}
		left := 0
		for _, dir := range dirs {
			// A frozen process does not die before it is thawed (v1).
			_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
			procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			if err != nil {
				continue // gone meanwhile
			}
			for field := range strings.FieldsSeq(string(procs)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					left++
					_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended; the next round tells
				}
			}
		}
		if left == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("processes of pods do not end even by SIGKILL")
}

// removeCgroups removes the empty cgroups. The kernel may need a moment after
// the last process of one.
func removeCgroups(ctx context.Context) error {
	for {
		dirs, err := podCgroups()
		if err != nil || len(dirs) == 0 {
			return err
		}
		var failure error
		for _, dir := range dirs {
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failure = err
			}
		}
		if failure != nil && ctx.Err() != nil {
			return failure
		}
		time.Sleep(20 * time.Millisecond)
	}
}
