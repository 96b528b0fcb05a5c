//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// mount is one line of /proc/self/mountinfo.
type mount struct{ root, point, fsType string }

func readMounts() ([]mount, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(content))
}

// parseMounts: optional fields stand between the sixth one and a dash.
func parseMounts(mountinfo string) ([]mount, error) {
	var mounts []mount
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 6 || len(rest) < 1 {
			return nil, fmt.Errorf("unexpected line in mountinfo: %q", line)
		}
		mounts = append(mounts, mount{unescape(fields[3]), unescape(fields[4]), rest[0]})
	}
	return mounts, nil
}

// unescape undoes the kernel's \040 for a space and the like.
func unescape(path string) string {
	for _, octal := range []string{"040", "011", "012", "134"} {
		code, _ := strconv.ParseUint(octal, 8, 8) // constants above
		path = strings.ReplaceAll(path, `\`+octal, string(rune(code)))
	}
	return path
}

// mountsUnder lists mounts at or below a folder, the last mounted first.
func mountsUnder(mounts []mount, dir string) []string {
	var points []string
	for i := len(mounts) - 1; i >= 0; i-- {
		point := mounts[i].point
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points
}

// unmountAll leaves nothing mounted below the cluster's folder: containers'
// roots, the kubelet's volumes, the pods' network namespaces. Detached, because
// something outside may hold a file open.
func unmountAll() error {
	const rounds = 5 // one mount point may carry several
	var points []string
	for range rounds {
		mounts, err := readMounts()
		if err != nil {
			return err
		}
		if points = mountsUnder(mounts, clusterDir); len(points) == 0 {
			return nil
		}
		for _, point := range points {
			_ = syscall.Unmount(point, syscall.MNT_DETACH|umountNoFollow) // the next round tells
		}
	}
	return fmt.Errorf("cannot unmount %s", strings.Join(points, ", "))
}

// umountNoFollow is UMOUNT_NOFOLLOW, which package syscall lacks.
const umountNoFollow = 0x8
