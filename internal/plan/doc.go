// Package plan is the whole state machine of a debugging session, as a pure function: Decide takes a Snapshot of what was
// read and returns a Plan of what is to be done. It reads nothing, writes nothing, never looks at the clock and has no
// memory: what a session has already decided is in its status.
//
// A session passes through these phases:
//
//	        admitted            the container runs          time is up, end: true,
//	        and recorded                                    deletion, debugger or target gone
//	Pending ──────────▶ Starting ──────────▶ Active ──────────▶ Ending ──────────▶ Ended
//	   │                    │                                     ▲  nothing is left   ▲
//	   │                    └─────────────────────────────────────┘                    │
//	   └───────────────────────────────────────────────────────────────────────────────┘
//	     nothing was made: rejected, timed out, expired, ended before it began
//
// Three rules hold everywhere:
//
//   - What permits a thing is persisted before the thing is made. A pass that admits a session only writes down which
//     pod (by UID), which names and which times; the next pass, seeing them recorded, makes the debugger. In the same
//     way a pass that ends a session first writes Ending, so that an edit racing the end is decided by the API server.
//   - Absent is not unknown. Nothing starts and nothing is called gone on a failed read.
//   - Ended is final. No input makes Decide leave it.
//
// A pass goes through the gates of its phase (phase_pending.go, phase_running.go, phase_ending.go, phase_ended.go), which read like a
// table of contents, and stops at the first that returns a step (step.go).
//
// The caller has Run decide, and answers what it asks; then it performs the actions, has Conclude complete the plan with their
// results, writes the status once, and sends the events. Asking, rather than being told everything, is what makes a settled session
// cost nothing, and keeps expensive reads for when they matter.
package plan
