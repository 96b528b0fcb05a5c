package flux

import (
	"fmt"
	"os"
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

// write writes it to the file of that name, or shows it if there is none.
func (b *table) write(t *testing.T, name string) {
	text := &strings.Builder{}
	out := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "flow\tcommits\twrites by Flux\tby the operator\tby hand\tresult")
	for _, row := range b.rows {
		fmt.Fprintln(out, row)
	}
	_ = out.Flush()
	if name == "" {
		t.Logf("\n%s", text)
		return
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.Error(err)
	}
}
