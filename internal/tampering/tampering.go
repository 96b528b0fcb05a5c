// Package tampering tells when what admission goes by is not as it was installed any more.
package tampering

import "sync"

// Detector remembers what was whole when it was last seen.
type Detector struct {
	// Tampered is told of an object that was whole and has been changed or deleted; left out, nobody is.
	Tampered func(kind, name, message string)

	mu    sync.Mutex
	whole map[string]bool // by kind: of each kind there is one object
}

// Saw takes note of an object as it is: fault is what is wrong with it, or empty.
func (d *Detector) Saw(kind, name, fault string) {
	d.mu.Lock()
	was := d.whole[kind]
	if d.whole == nil {
		d.whole = map[string]bool{}
	}
	d.whole[kind] = fault == ""
	d.mu.Unlock()
	if was && fault != "" && d.Tampered != nil {
		d.Tampered(kind, name, fault)
	}
}
