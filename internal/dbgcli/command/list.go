package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/story"
)

type listOptions struct {
	*environment
	mine, waiting, all bool
	output             *output
}

func newList(env *environment) *cobra.Command {
	o := &listOptions{environment: env}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List sessions",
		Long:    "List sessions: open ones before ended ones, newest first.",
		Example: `  # Everything that is waiting for my approval
  kubectl dbg list -A --waiting`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&o.mine, "mine", false, "Only sessions that you requested.")
	cmd.Flags().BoolVar(&o.waiting, "waiting", false, "Only sessions waiting for an approval or review that you may give.")
	cmd.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "List sessions in all namespaces, or in those that you may read.")
	o.output = addOutput(cmd, true)
	return cmd
}

func (o *listOptions) run(ctx context.Context) error {
	conn, err := o.connect()
	if err != nil {
		return err
	}
	items, err := o.items(ctx, conn)
	if err != nil {
		return err
	}
	if o.mine || o.waiting {
		if items, err = o.narrow(ctx, conn, items); err != nil {
			return err
		}
	}
	story.Sort(items)
	if o.output.objects() {
		objects := make([]runtime.Object, len(items))
		for i := range items {
			objects[i] = &items[i]
		}
		return o.output.printList(o.Out, "DebugSession", objects)
	}
	if len(items) == 0 {
		where := "in namespace " + conn.namespace
		if o.all {
			where = "in any namespace that you may read"
		}
		fmt.Fprintf(o.ErrOut, "No sessions found %s.\n", where)
		return nil
	}
	return o.table(items)
}

func (o *listOptions) items(ctx context.Context, conn *connection) ([]v1alpha1.DebugSession, error) {
	namespace := conn.namespace
	if o.all {
		namespace = metav1.NamespaceAll
	}
	list, err := conn.Sessions(namespace).List(ctx, metav1.ListOptions{})
	switch {
	case err == nil:
		return list.Items, nil
	case o.all && apierrors.IsForbidden(err):
		return o.readable(ctx, conn)
	default:
		return nil, err
	}
}

// readable are the sessions of the namespaces that one may read, for somebody who may not read all: of those that the API server
// lists, or else of those that the kubeconfig has contexts for.
func (o *listOptions) readable(ctx context.Context, conn *connection) ([]v1alpha1.DebugSession, error) {
	namespaces, err := o.namespaces(ctx, conn)
	if err != nil {
		return nil, err
	}
	var (
		items []v1alpha1.DebugSession
		read  []string
	)
	for _, namespace := range namespaces {
		list, err := conn.Sessions(namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		items, read = append(items, list.Items...), append(read, namespace)
	}
	if len(read) == 0 {
		return nil, errors.New("you may not list sessions in all namespaces, nor in any namespace in your kubeconfig: specify one with -n")
	}
	fmt.Fprintf(o.ErrOut, "You may not list sessions in all namespaces; showing: %s\n", strings.Join(read, ", "))
	return items, nil
}

func (o *listOptions) namespaces(ctx context.Context, conn *connection) ([]string, error) {
	names := []string{conn.namespace}
	list, err := conn.Kubernetes.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	switch {
	case err == nil:
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
	case apierrors.IsForbidden(err):
		raw, err := o.config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, err
		}
		current := raw.Contexts[raw.CurrentContext]
		for _, other := range raw.Contexts {
			if current != nil && other.Cluster == current.Cluster && other.Namespace != "" {
				names = append(names, other.Namespace)
			}
		}
	default:
		return nil, err
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (o *listOptions) narrow(ctx context.Context, conn *connection, items []v1alpha1.DebugSession) ([]v1alpha1.DebugSession, error) {
	me, err := conn.Me(ctx)
	if err != nil {
		return nil, err
	}
	if o.mine {
		items = story.RequestedBy(items, me.Username)
	}
	if !o.waiting {
		return items, nil
	}
	may := conn.Permissions()
	var mine []v1alpha1.DebugSession
	for _, session := range story.Waiting(items) {
		if !story.MayApprove(&session, me.Username) {
			continue
		}
		allowed, err := may.OnClass(ctx, v1alpha1.VerbApprove, session.Spec.ClassName, session.Namespace)
		if err != nil {
			return nil, err
		}
		if allowed {
			mine = append(mine, session)
		}
	}
	return mine, nil
}

func (o *listOptions) table(items []v1alpha1.DebugSession) error {
	headings := []string{"NAME", "TARGET", "PHASE", "WHY", "LEFT", "REQUESTER", "AGE"}
	if o.output.wide() {
		headings = append(headings, "CLASS", "MODE", "APPROVED-BY", "DEBUGGER")
	}
	if o.all {
		headings = append([]string{"NAMESPACE"}, headings...)
	}
	rows := make([][]string, len(items))
	for i := range items {
		row := story.Row(&items[i], o.now())
		if o.output.wide() {
			row = append(row, story.WideRow(&items[i])...)
		}
		if o.all {
			row = append([]string{items[i].Namespace}, row...)
		}
		rows[i] = row
	}
	if o.output.wide() {
		return table(o.Out, headings, rows)
	}
	return fittedTable(o.Out, headings, rows)
}
