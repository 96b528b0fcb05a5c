// The kubectl plugin of DebugSession: kubectl dbg.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // the ways in which a kubeconfig may authenticate
	"k8s.io/klog/v2"

	_ "debugsession.dev/operator/internal/auditstore/cloud"
	"debugsession.dev/operator/internal/dbgcli/command"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	// What the libraries log is not for whoever looks at a debugger's terminal. What concerns them is returned as an error.
	klog.SetLogger(logr.Discard())
	root := command.New(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, version)
	code, message := command.ExitCode(root.ExecuteContext(context.Background()))
	if message != "" {
		fmt.Fprintln(os.Stderr, message)
	}
	os.Exit(code)
}
