// Package debugpod builds what a session adds to the cluster: the ephemeral container that joins a running pod, the copy
// of a pod, and the pod that debugs a node. It is pure: it has no client, reads no clock, never changes what it is given,
// and nothing that it returns shares memory with what it was given.
//
// The results are those of kubectl debug 1.37 with the same options; test/conformance holds the two together. They
// differ where kubectl's result would be refused, adopted or misleading, and each such difference is on the list in
// that folder with its reason.
package debugpod
