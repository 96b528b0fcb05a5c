package terminal

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kubectl/pkg/cmd/exec"
)

// Exec runs a command in the debugger's container, without a terminal.
func (d Debugger) Exec(ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) error {
	request := d.Kubernetes.CoreV1().RESTClient().Post().Resource("pods").Namespace(d.Namespace).Name(d.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: d.Name, Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	return onceGranted(ctx, func() error {
		return (&exec.DefaultRemoteExecutor{}).ExecuteWithContext(ctx, request.URL(), d.Config, stdin, stdout, stderr, false, nil)
	})
}
