package command

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/cmd/exec"
	"k8s.io/kubectl/pkg/cmd/logs"
	"k8s.io/kubectl/pkg/cmd/portforward"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/story"
)

// The commands of kubectl that work on a debugger: kubectl's own, which are given the pod and the container of a session.

// debuggerOf is where a session's debugger is, if the session gives a kind of access to it.
func (e *environment) debuggerOf(ctx context.Context, name string, access v1alpha1.AccessVerb) (*v1alpha1.DebuggerStatus, error) {
	conn, err := e.connect()
	if err != nil {
		return nil, err
	}
	session, err := findGranted(ctx, conn, name, access)
	if err != nil {
		return nil, err
	}
	return session.Status.Debugger, nil
}

// findGranted is a session that runs and gives a kind of access to its debugger.
func findGranted(ctx context.Context, conn *connection, name string, access v1alpha1.AccessVerb) (*v1alpha1.DebugSession, error) {
	session, err := findActive(ctx, conn, name)
	if err != nil {
		return nil, err
	}
	if !story.Grants(session, access) {
		return nil, fmt.Errorf("sessions of class %q do not grant %s access: kubectl dbg classes shows which do", session.Spec.ClassName, access)
	}
	return session, nil
}

func newExec(env *environment, factory cmdutil.Factory) *cobra.Command {
	o := &exec.ExecOptions{StreamOptions: exec.StreamOptions{IOStreams: env.IOStreams}, Executor: &exec.DefaultRemoteExecutor{}}
	cmd := &cobra.Command{
		Use:   "exec [NAME] [-it] -- COMMAND [ARGUMENT…]",
		Short: "Run another command in a session's debugger",
		Long:  "Run another command in a session's debugger, if its class grants Exec access: like kubectl exec, without the names of pod and container.",
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 || dash > 1 || dash == len(args) {
				return fmt.Errorf("the command goes after --: kubectl dbg exec %s-- COMMAND", named(first(args)))
			}
			at, err := env.debuggerOf(cmd.Context(), first(args[:dash]), v1alpha1.AccessExec)
			if err != nil {
				return err
			}
			if err := o.Complete(factory, cmd, append([]string{at.PodName}, args[dash:]...), 1); err != nil {
				return err
			}
			o.PodName, o.ContainerName = at.PodName, at.ContainerName
			cmdutil.CheckErr(o.Run()) // which exits with the command's code
			return nil
		},
	}
	cmdutil.AddPodRunningTimeoutFlag(cmd, time.Minute)
	_ = cmd.Flags().MarkHidden("pod-running-timeout")
	cmd.Flags().BoolVarP(&o.Stdin, "stdin", "i", false, "Pass standard input to the command.")
	cmd.Flags().BoolVarP(&o.TTY, "tty", "t", false, "Allocate a terminal for the command.")
	cmd.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "Print only what the command writes.")
	cmd.ValidArgsFunction = env.completeSessions
	return cmd
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return name + " "
}

func newLogs(env *environment, factory cmdutil.Factory) *cobra.Command {
	cmd := logs.NewCmdLogs(factory, env.IOStreams)
	run := cmd.Run
	cmd.Run, cmd.Use, cmd.Short = nil, "logs [NAME] [-f]", "Print the logs of a session's debugger"
	cmd.Long = "Print the logs of a session's debugger: like kubectl logs, without the names of pod and container."
	cmd.Example, cmd.ValidArgsFunction, cmd.Args = "", env.completeSessions, cobra.MaximumNArgs(1)
	hide(cmd, "selector", "container", "all-containers", "all-pods", "prefix", "max-log-requests", "pod-running-timeout", "insecure-skip-tls-verify-backend", "previous", "ignore-errors")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at, err := env.debuggerOf(cmd.Context(), first(args), v1alpha1.AccessLogs)
		if err != nil {
			return err
		}
		return inContainer(cmd, run, at, at.PodName)
	}
	return cmd
}

// ports is what a port to forward looks like, and no session's name.
var ports = regexp.MustCompile(`^\d*(:\d+)?$`)

func newPortForward(env *environment, factory cmdutil.Factory) *cobra.Command {
	cmd := portforward.NewCmdPortForward(factory, env.IOStreams)
	run := cmd.Run
	cmd.Run, cmd.Use, cmd.Short = nil, "port-forward [NAME] [LOCAL:]PORT…", "Forward local ports to a session's pod"
	cmd.Long = "Forward local ports to the pod of a session's debugger, if its class grants PortForward access: like kubectl port-forward, without the pod's name."
	cmd.Example = "  kubectl dbg port-forward 8080:6060"
	cmd.ValidArgsFunction, cmd.Args = env.completeSessions, cobra.MinimumNArgs(1)
	hide(cmd, "pod-running-timeout")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := ""
		if !ports.MatchString(args[0]) {
			name, args = args[0], args[1:]
		}
		if len(args) == 0 {
			return fmt.Errorf("a port is missing: kubectl dbg port-forward %s8080", named(name))
		}
		at, err := env.debuggerOf(cmd.Context(), name, v1alpha1.AccessPortForward)
		if err != nil {
			return err
		}
		run(cmd, append([]string{at.PodName}, args...))
		return nil
	}
	return cmd
}

func hide(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.Flags().MarkHidden(name)
		}
	}
}

// inContainer runs a command of kubectl's for one container. It ends the process if it fails, as kubectl does.
func inContainer(cmd *cobra.Command, run func(*cobra.Command, []string), at *v1alpha1.DebuggerStatus, args ...string) error {
	if err := cmd.Flags().Set("container", at.ContainerName); err != nil {
		return err
	}
	run(cmd, args)
	return nil
}
