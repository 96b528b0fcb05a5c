//go:build linux

// Package deadline tries the deadline wrapper and the sweep of internal/debugpod on a real kernel: in process and mount
// namespaces made as a container runtime makes them, with the shells that images have, at a terminal and without one, as
// root and as a user. It needs root.
package deadline
