package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/story"
)

// find is the session of a name; without one, the only session of the caller in the namespace that has not ended.
func find(ctx context.Context, conn *connection, name string) (*v1alpha1.DebugSession, error) {
	if name != "" {
		session, err := conn.Sessions(conn.namespace).Get(ctx, strings.TrimPrefix(name, "dbg/"), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("session %q not found in namespace %q; kubectl dbg list -A shows those in other namespaces", name, conn.namespace)
		}
		return session, err
	}
	me, err := conn.Me(ctx)
	if err != nil {
		return nil, err
	}
	list, err := conn.Sessions(conn.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	mine := story.WithoutMembers(story.Running(story.RequestedBy(list.Items, me.Username)))
	switch len(mine) {
	case 0:
		return nil, fmt.Errorf("you have no open session in namespace %q; kubectl dbg TARGET opens one", conn.namespace)
	case 1:
		return &mine[0], nil
	}
	names := make([]string, len(mine))
	for i := range mine {
		names[i] = mine[i].Name
	}
	return nil, fmt.Errorf("you have %d open sessions in namespace %q; specify one of %s", len(mine), conn.namespace, strings.Join(names, ", "))
}

// findActive is the same for what takes a debugger that runs.
func findActive(ctx context.Context, conn *connection, name string) (*v1alpha1.DebugSession, error) {
	session, err := find(ctx, conn, name)
	if err == nil && session.Spec.HasMembers() {
		return nil, errors.New(story.AttachToMember(session))
	}
	if err == nil && !story.Attachable(session) {
		next := fmt.Sprintf("kubectl dbg attach %s waits for it", session.Name)
		if story.Over(session) {
			next = "kubectl dbg TARGET opens another"
		}
		return nil, fmt.Errorf("session %s is %s: %s; %s", session.Name, cmp.Or(string(session.Status.Phase), "Pending"),
			cmp.Or(story.Message(session), "waiting for the operator"), next)
	}
	return session, err
}

// find connects, and finds the session of that name, or the one of the caller.
func (e *environment) find(ctx context.Context, name string) (*connection, *v1alpha1.DebugSession, error) {
	conn, err := e.connect()
	if err != nil {
		return nil, nil, err
	}
	session, err := find(ctx, conn, name)
	return conn, session, err
}

// first is the first argument, if there is one.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// completeSessions completes the name of a session that has not ended.
func (e *environment) completeSessions(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	conn, err := e.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := conn.Sessions(conn.namespace).List(cmd.Context(), metav1.ListOptions{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, session := range story.Running(list.Items) {
		if strings.HasPrefix(session.Name, typed) {
			names = append(names, fmt.Sprintf("%s\t%s", session.Name, session.Status.Phase))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
