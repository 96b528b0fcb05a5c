package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// printTable prints a line for each case, and below it what differs: always for a failure, and for a listed case if
// verbose. A made-up case that fails is printed as a file that runs it again.
func printTable(out io.Writer, results []result, verbose bool) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CASE\tRESULT\tDIVERGENCES")
	for i := range results {
		r := &results[i]
		fmt.Fprintf(table, "%s/%s\t%s\t%s\n", r.Shape.Name, r.Case.Name, r.Verdict, strings.Join(r.Listed, ", "))
	}
	table.Flush()
	for i := range results {
		if r := &results[i]; r.Verdict == failure || verbose && r.Verdict == listed {
			printDetails(out, r)
		}
	}
}

func printDetails(out io.Writer, r *result) {
	fmt.Fprintf(out, "\n%s/%s: %s\n", r.Shape.Name, r.Case.Name, r.Verdict)
	for _, detail := range r.Details {
		fmt.Fprintf(out, "  %s\n", detail)
	}
	if r.Shape.Name != madeUpName || r.Verdict != failure {
		return
	}
	alone := shape{Objects: r.Shape.Objects, Pod: r.Shape.Pod, Node: r.Shape.Node, Cases: []testCase{*r.Case}}
	file, err := yaml.Marshal(alone)
	if err != nil {
		fmt.Fprintf(out, "  the case cannot be written as a file: %v\n", err)
		return
	}
	fmt.Fprintf(out, "  as a file of its own:\n\n%s", file)
}

// summarise prints the last line, and returns an error if anything failed.
func summarise(out io.Writer, results []result) error {
	counts := verdicts(results)
	fmt.Fprintf(out, "\n%d cases, %d equal, %d listed, %d failures\n", len(results), counts[equal], counts[listed], counts[failure])
	if counts[failure] > 0 {
		return errFailures
	}
	return nil
}
