package command

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/manifest"
	"debugsession.dev/operator/internal/dbgcli/terminal"
)

// output is the flag -o: json, yaml and name as kubectl prints them, and wide where there is a table.
type output struct {
	format string
	flags  *genericclioptions.PrintFlags
}

func addOutput(cmd *cobra.Command, table bool) *output {
	o := &output{flags: genericclioptions.NewPrintFlags("")}
	formats := "json, yaml or name"
	if table {
		formats = "json, yaml, name or wide"
	}
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "How to show it: "+formats+".")
	_ = cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		all := []string{"json", "yaml", "name"}
		if table {
			all = append(all, "wide")
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	})
	return o
}

// objects reports whether objects are shown as they are.
func (o *output) objects() bool { return o.format != "" && o.format != "wide" }

func (o *output) wide() bool { return o.format == "wide" }

func (o *output) print(out io.Writer, kind string, objects ...runtime.Object) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	shown := make([]runtime.Object, len(objects))
	for i, object := range objects {
		fields, err := manifest.Fields(object)
		if err != nil {
			return err
		}
		as := &unstructured.Unstructured{Object: fields}
		as.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind)) // what was read through a typed client says none
		shown[i] = as
	}
	if o.format == "json" && len(shown) != 1 {
		return printer.PrintObj(listOf(shown), out)
	}
	for _, object := range shown {
		if err := printer.PrintObj(object, out); err != nil {
			return err
		}
	}
	return nil
}

func (o *output) printer() (printers.ResourcePrinter, error) {
	o.flags.OutputFormat = &o.format
	return o.flags.ToPrinter()
}

func listOf(objects []runtime.Object) runtime.Object {
	list := &metav1.List{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "List"})
	for _, object := range objects {
		list.Items = append(list.Items, runtime.RawExtension{Object: object})
	}
	return list
}

// table prints rows under headings, as kubectl does.
func table(out io.Writer, headings []string, rows [][]string) error {
	w := printers.GetNewTabWriter(out)
	fmt.Fprintln(w, strings.Join(headings, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = orElse(row[i], "-")
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// fittedTable is a table that fits a terminal, if that is what it is written to.
func fittedTable(out io.Writer, headings []string, rows [][]string) error {
	narrow(append([][]string{headings}, rows...), terminal.Columns(out))
	return table(out, headings, rows)
}

const (
	gap       = 3 // what kubectl leaves between two columns
	leastWide = 6 // what a column has left that is cut
)

// narrow cuts the widest columns until all have room; 0 is as much room as there needs to be.
func narrow(lines [][]string, room int) {
	widths := columnWidths(lines)
	total := -gap
	for _, width := range widths {
		total += width + gap
	}
	for ; room > 0 && total > room; total-- {
		widest := widestCuttable(lines[0], widths)
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	for _, line := range lines {
		for i := range line {
			line[i] = terminal.Fit(line[i], widths[i])
		}
	}
}

func columnWidths(lines [][]string) []int {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]))
		}
	}
	return widths
}

// widestCuttable is the widest of the columns that may be cut further; -1 if none may. Names are never cut: one types them again.
func widestCuttable(headings []string, widths []int) int {
	widest := -1
	for i, heading := range headings {
		if heading == "NAME" || heading == "NAMESPACE" || widths[i] <= leastWide {
			continue
		}
		if widest < 0 || widths[i] > widths[widest] {
			widest = i
		}
	}
	return widest
}
