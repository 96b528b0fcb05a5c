package debugpod

import (
	"fmt"
	"slices"
)

// DidYouMean asks whether the most similar of the names was meant, as the end of a sentence; empty if none is similar.
func DidYouMean(name string, names []string) string {
	best, least := "", 1+max(1, len(name)/3)
	for _, other := range slices.Sorted(slices.Values(names)) {
		if d := edits(name, other); d < least && other != name {
			best, least = other, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// edits is how many letters must be added, taken away, changed, or exchanged with their neighbour to make one word of another.
func edits(from, to string) int {
	before, last := make([]int, len(to)+1), make([]int, len(to)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(from); i++ {
		row := make([]int, len(to)+1)
		row[0] = i
		for j := 1; j <= len(to); j++ {
			change := last[j-1]
			if from[i-1] != to[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(to)]
}
