//go:build linux

package deadline

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"debugsession.dev/operator/internal/debugpod"
)

func init() {
	if os.Getenv(roleVariable) == "headless" {
		// The goroutine of main stays on the first thread, which is the one that is to go.
		runtime.LockOSThread()
	}
}

// beHeadless is a program whose first thread ends and whose others go on: it looks like a zombie, and is none.
func beHeadless() error {
	go func() {
		fmt.Println("begun")
		time.Sleep(time.Hour)
	}()
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
	return errors.New(errno.Error())
}

func TestFirstThreadHasEnded(t *testing.T) {
	t.Parallel()
	itself, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for shell := range shells {
		for _, joined := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,joined=%t", shell, joined), func(t *testing.T) {
				t.Parallel()
				asked := debugger{
					shell:   shell,
					left:    8 * time.Second,
					command: []string{"sh", "-c", "export " + roleVariable + "=headless; exec " + itself},
				}
				if joined {
					asked.target = startTarget(t)
				}
				c := start(t, asked)
				c.says("begun")
				c.expectEnd(debugpod.ExitDeadline, "ended at its hard deadline")
			})
		}
	}
}
