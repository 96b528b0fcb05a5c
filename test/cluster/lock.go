//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock makes this the only command that changes the cluster. The kernel lets go
// of it when the process ends, however it ends; components do not inherit it.
func lock() (unlock func(), err error) {
	for {
		file, err := os.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("another up, down, stop-component or start-component is at work on the cluster; wait for it to end")
			}
			return nil, fmt.Errorf("lock %s: %w", lockFile, err)
		}
		if stillNamed(file) {
			return func() {
				os.Remove(lockFile) // before letting go, so that none but the holder removes it
				file.Close()
			}, nil
		}
		file.Close() // its holder removed it between our open and our lock
	}
}

func stillNamed(file *os.File) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(lockFile)
	return err == nil && os.SameFile(held, named)
}
