package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/story"
)

func newClasses(env *environment) *cobra.Command {
	var (
		out *output
		all bool
	)
	cmd := &cobra.Command{
		Use:     "classes",
		Aliases: []string{"class"},
		Short:   "List the classes that you may use in the namespace, and what they allow",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := env.connect()
			if err != nil {
				return err
			}
			classes, may, err := usable(cmd.Context(), conn, all)
			if err != nil {
				return err
			}
			if out.objects() {
				objects := make([]runtime.Object, len(classes))
				for i := range classes {
					objects[i] = &classes[i]
				}
				return out.printList(env.Out, "DebugClass", objects)
			}
			if len(classes) == 0 {
				fmt.Fprintf(env.ErrOut, "You may not use any class in namespace %s; kubectl dbg classes --all shows all classes.\n", conn.namespace)
				return nil
			}
			return classTable(env, classes, may, out.wide())
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "Include classes that you may not use.")
	out = addOutput(cmd, true)
	return cmd
}

// usable are the classes that the caller may use in the namespace, or all, and by name which those are.
func usable(ctx context.Context, conn *connection, all bool) ([]v1alpha1.DebugClass, map[string]bool, error) {
	list, err := conn.Classes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	permissions, may := conn.Permissions(), map[string]bool{}
	for i := range list.Items {
		name := list.Items[i].Name
		if may[name], err = permissions.OnClass(ctx, v1alpha1.VerbUse, name, conn.namespace); err != nil {
			return nil, nil, err
		}
	}
	if !all {
		list.Items = slices.DeleteFunc(list.Items, func(class v1alpha1.DebugClass) bool { return !may[class.Name] })
	}
	return list.Items, may, nil
}

func classTable(env *environment, classes []v1alpha1.DebugClass, may map[string]bool, wide bool) error {
	headings := []string{"NAME", "USE", "MODES", "PROFILES", "MAX-TTL", "APPROVALS", "ACCESS"}
	if wide {
		headings = append(headings, "IMAGES", "DEFAULT-IMAGE", "DEFAULT-TTL", "REASON", "RECORDED")
	}
	rows := make([][]string, len(classes))
	for i := range classes {
		class := &classes[i]
		name, use := class.Name, "no"
		if class.Annotations[v1alpha1.AnnotationDefaultClass] == "true" {
			name += " (default)"
		}
		if may[class.Name] {
			use = "yes"
		}
		rows[i] = append([]string{name, use}, story.ClassRow(class)...)
		if wide {
			rows[i] = append(rows[i], story.WideClassRow(class)...)
		}
	}
	if wide {
		return table(env.Out, headings, rows)
	}
	return fittedTable(env.Out, headings, rows)
}

// completeClasses completes the name of a class that may be used.
func (e *environment) completeClasses(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	conn, err := e.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	classes, _, err := usable(cmd.Context(), conn, false)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range classes {
		if strings.HasPrefix(classes[i].Name, typed) {
			names = append(names, classes[i].Name+"\tat most "+story.Duration(classes[i].Spec.MaxTTL.Duration)+", approvals: "+
				strconv.Itoa(story.Approvals(&classes[i])))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
