// Package optionalcache holds what the operator reads of the cluster by watching it. What sessions end by is waited for: the
// operator does nothing before it has seen all of it. What sessions begin by, the rest, may be missing, for a while or for
// ever: its kind is not installed, or may not be listed. Reading it then fails at once and says why, and works as soon as
// it is there.
package optionalcache
