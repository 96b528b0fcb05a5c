package main

import (
	"context"
	"fmt"
)

// nodeCommands are those that need Linux.
func nodeCommands() []command {
	return []command{
		{"check", "", "say whether this machine can run a node; exit code 3 if not", noArguments(check)},
		{"up", "", "start the cluster; build and install what is missing", noArguments(up)},
		{"down", "", "stop it and remove every trace of it", noArguments(down)},
		{"status", "", "list its components", noArguments(status)},
		{"kubeconfig", "", "print the path of the admin's kubeconfig", noArguments(printKubeconfig)},
		{"load", "[--tag NAME] ARCHIVE.tar...", "put images into its registry", loadImages},
		{"image-build", "--tag NAME [--file F] FOLDER", "build a Dockerfile's image into its registry", buildImage},
		{"stop-component", "[--kill] NAME", "end one component, for tests of failure", stopComponent},
		{"start-component", "NAME", "start it again with its data", startComponent},
		{"registry", "", "", noArguments(serveRegistry)},
	}
}

func check(context.Context) error {
	if err := preflight(); err != nil {
		return err
	}
	fmt.Println("this machine can run a Kubernetes node")
	return nil
}
