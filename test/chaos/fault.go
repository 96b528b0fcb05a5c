package main

import (
	"slices"
	"time"
)

// fault is one thing that is broken, and the sessions that it is broken under.
type fault struct {
	name   string
	broken string // for the table: what was broken
	// within is how long a debugger's processes may still be there after the session's end was due. What is due is put off
	// only by an outage that the fault itself has declared.
	within time.Duration
	// gentle faults break nothing that others need: they run at the same time.
	gentle bool
	// short faults are what CI runs.
	short bool
	limit time.Duration // for the whole fault; usualLimit if zero
	run   func(*stage)
}

const usualLimit = 2 * time.Minute

// faults are all of them, in the order of the table.
func faults(o *options) []*fault {
	return slices.Concat(debuggerFaults(), targetFaults(), objectFaults(), operatorFaults(), clusterFaults(), burstFaults(o))
}
