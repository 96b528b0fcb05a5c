package ports

import "testing"

func TestNobodyIsGivenThePortOfAnother(t *testing.T) {
	given := map[int]bool{}
	for range 2000 {
		port, err := Free()
		if err != nil {
			t.Fatal(err)
		}
		if given[port] || port < first || port > last {
			t.Fatalf("port %d is given again, or is none of %d to %d", port, first, last)
		}
		given[port] = true
	}
}
