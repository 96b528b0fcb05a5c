package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of processor time in /proc, the same on every Linux.
const ticksPerSecond = 100

// processorTime is how many seconds of processor time each process of the bench has taken since it started, by its name:
// its own, and those of the processes that it started.
type processorTime map[string]float64

func readProcessorTime() (processorTime, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	times := processorTime{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if err := times.add(string(bytes.TrimSpace(content))); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return times, nil
}

// add reads a line of /proc/PID/stat, if it is of a process of the bench. The name, in parentheses, may hold anything.
func (t processorTime) add(stat string) error {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return fmt.Errorf("no name in %q", stat)
	}
	fields := strings.Fields(stat[end+1:]) // the third field is the first of these
	if len(fields) < 13 {
		return fmt.Errorf("too short: %q", stat)
	}
	name, own := stat[open+1:end], strings.TrimSpace(stat[:open]) == strconv.Itoa(os.Getpid())
	if own {
		name = "bench"
	} else if fields[1] != strconv.Itoa(os.Getpid()) {
		return nil
	}
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return err
		}
		t[name] += ticks / ticksPerSecond
	}
	return nil
}

// since is what each has taken since then, in milliseconds for each of n.
func (t processorTime) since(before processorTime, n int) processorTime {
	each := processorTime{}
	for name, seconds := range t {
		each[name] = 1000 * (seconds - before[name]) / float64(n)
	}
	return each
}
