//go:build !race

package plan_test

// sequences is how many are tried in each mode.
const sequences = "3000"
