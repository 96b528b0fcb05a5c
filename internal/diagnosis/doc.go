// Package diagnosis knows what the kubelet, the container runtimes, the scheduler and the API server say of what goes wrong, and what a
// person can do about it. Where the API has no code for a thing it is told by their words: every string of theirs that is matched, and
// every hint, stands here. It is pure: it is given what they said.
package diagnosis
