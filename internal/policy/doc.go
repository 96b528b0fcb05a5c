// Package policy knows what a DebugClass allows. It validates a class, checks a session against it, and computes what the class grants to
// a session, whether what it granted still holds after it was edited, and whether what would be made stays within that.
//
// A function that checks returns why the class does not allow a thing, as a sentence for its user, and an empty string if it does. It is
// the one place for that: admission asks it to answer whoever applies a class or a session, the planner asks it before a session starts.
// It is pure: it reads nothing and knows no clock.
package policy
