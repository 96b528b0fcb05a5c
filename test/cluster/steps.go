package main

import (
	"fmt"
	"os"
	"time"
)

// step is one named piece of work, reported on standard error so that standard
// output holds only what was asked for.
type step struct {
	name  string
	begun time.Time
}

// beginStep says what is about to take a while.
func beginStep(name string) step {
	fmt.Fprintf(os.Stderr, "… %s\n", name)
	return newStep(name)
}

// newStep is for quick work: only its end is reported.
func newStep(name string) step { return step{name, time.Now()} }

func (s step) done() {
	fmt.Fprintf(os.Stderr, "✓ %s  %.1fs\n", s.name, time.Since(s.begun).Seconds())
}
