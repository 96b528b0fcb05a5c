package flux

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// table is what the test prints of its flows.
type table struct {
	mu   sync.Mutex
	rows []string
}

func (b *table) add(name string, commits int, by writes, t *testing.T) {
	result := "ok"
	if t.Failed() {
		result = "FAILED"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows = append(b.rows, fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%s", name, commits, by.flux, by.operator, by.others, result))
}

func (b *table) print(t *testing.T) {
	text := &strings.Builder{}
	out := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "flow\tcommits\twrites by Flux\tby the operator\tby hand\tresult")
	for _, row := range b.rows {
		fmt.Fprintln(out, row)
	}
	_ = out.Flush()
	fmt.Printf("\n%s\n", text)
}
