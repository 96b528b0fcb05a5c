//go:build !linux

package main

import (
	"context"
	"runtime"
)

// nodeCommands refuses what only Linux can do, with the exit code that lets a
// Makefile skip.
func nodeCommands() []command {
	refuse := func(context.Context, []string) error {
		return cannotRun("a Kubernetes node needs Linux, and this is %s", runtime.GOOS)
	}
	var all []command
	for _, name := range []string{"check", "up", "down", "status", "kubeconfig", "load", "image-build", "stop-component", "start-component"} {
		all = append(all, command{name, "", "needs Linux", refuse})
	}
	return all
}
