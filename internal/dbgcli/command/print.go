package command

import (
	"cmp"
	"fmt"
	"io"
	"slices"
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
	table  bool
	flags  *genericclioptions.PrintFlags
}

func addOutput(cmd *cobra.Command, table bool) *output {
	o := &output{table: table, flags: genericclioptions.NewPrintFlags("")}
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "Output format: "+o.formats()+".")
	_ = cmd.RegisterFlagCompletionFunc("output", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		all := []string{"json", "yaml", "name"}
		if table {
			all = append(all, "wide")
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	})
	return o
}

func (o *output) formats() string {
	if o.table {
		return "json, yaml, name or wide"
	}
	return "json, yaml or name"
}

// objects reports whether objects are shown as they are.
func (o *output) objects() bool { return o.format != "" && !o.wide() }

func (o *output) wide() bool { return o.table && o.format == "wide" }

// print shows one object.
func (o *output) print(out io.Writer, kind string, object runtime.Object) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	shown, err := asUnstructured(kind, object)
	if err != nil {
		return err
	}
	return printer.PrintObj(shown, out)
}

// printList shows any number of objects: as one List, also if there is one object or none, but for their names.
func (o *output) printList(out io.Writer, kind string, objects []runtime.Object) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	list := &metav1.List{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "List"})
	list.Items = make([]runtime.RawExtension, len(objects))
	for i, object := range objects {
		shown, err := asUnstructured(kind, object)
		if err != nil {
			return err
		}
		if o.format == "name" {
			if err := printer.PrintObj(shown, out); err != nil {
				return err
			}
		}
		list.Items[i].Object = shown
	}
	if o.format == "name" {
		return nil
	}
	return printer.PrintObj(list, out)
}

// asUnstructured says what kind an object is, which what was read through a typed client does not.
func asUnstructured(kind string, object runtime.Object) (*unstructured.Unstructured, error) {
	fields, err := manifest.Fields(object)
	if err != nil {
		return nil, err
	}
	as := &unstructured.Unstructured{Object: fields}
	as.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	return as, nil
}

func (o *output) printer() (printers.ResourcePrinter, error) {
	o.flags.OutputFormat = &o.format
	printer, err := o.flags.ToPrinter()
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return nil, fmt.Errorf("-o %s: must be %s", o.format, o.formats())
	}
	return printer, err
}

// check refuses a format that there is not, before anything is done.
func (o *output) check() error {
	if !o.objects() {
		return nil
	}
	_, err := o.printer()
	return err
}

// table prints rows under headings, as kubectl does.
func table(out io.Writer, headings []string, rows [][]string) error {
	w := printers.GetNewTabWriter(out)
	fmt.Fprintln(w, strings.Join(headings, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = cmp.Or(row[i], "-")
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// fittedTable is a table that fits a terminal, if that is what it is written to.
func fittedTable(out io.Writer, headings []string, rows [][]string) error {
	lines := fit(append([][]string{headings}, rows...), terminal.Columns(out))
	return table(out, lines[0], lines[1:])
}

// leftOut are the columns that a terminal may be too narrow for, the first to go first. With -o wide all are there.
var leftOut = []string{"AGE", "REQUESTER", "LEFT", "WHY"}

// fit leaves columns out until the others have room, and cuts what is too wide in them; 0 is as much room as there needs to be.
func fit(lines [][]string, room int) [][]string {
	for _, heading := range leftOut {
		at := slices.Index(lines[0], heading)
		if room == 0 || at < 0 || leastWidth(lines) <= room {
			continue
		}
		for i := range lines {
			lines[i] = slices.Delete(lines[i], at, at+1)
		}
	}
	narrow(lines, room)
	return lines
}

// leastWidth is how wide lines are once all is cut that may be.
func leastWidth(lines [][]string) int {
	total := -gap
	for i, width := range columnWidths(lines) {
		if cuttable(lines[0][i]) {
			width = min(width, leastWide)
		}
		total += width + gap
	}
	return total
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

// cuttable reports whether what stands in a column may be cut. Names are not: one types them again.
func cuttable(heading string) bool { return heading != "NAME" && heading != "NAMESPACE" }

// widestCuttable is the widest of the columns that may be cut further; -1 if none may.
func widestCuttable(headings []string, widths []int) int {
	widest := -1
	for i, heading := range headings {
		if !cuttable(heading) || widths[i] <= leastWide {
			continue
		}
		if widest < 0 || widths[i] > widths[widest] {
			widest = i
		}
	}
	return widest
}
