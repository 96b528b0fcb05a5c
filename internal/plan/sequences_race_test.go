//go:build race

package plan_test

// sequences is fewer under the race detector, which makes each ten times slower and finds nothing in a pure package.
const sequences = "500"
