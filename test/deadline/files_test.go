//go:build linux

package deadline

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"debugsession.dev/operator/internal/debugpod"
)

// held starts a command that leaves files, and returns when it has ended and its container is held.
func held(t *testing.T, asked debugger, script string) *container {
	t.Helper()
	asked.hold, asked.command = time.Minute, []string{"sh", "-c", script}
	c := start(t, asked)
	awaited(t, c)
	return c
}

// awaited returns when a container is held, whether it was held when it was awaited, or who awaited it was woken.
func awaited(t *testing.T, c *container) {
	t.Helper()
	select {
	case code := <-c.exec(debugpod.AwaitFiles()...):
		if code != 0 && code != debugpod.ExitAwoken {
			t.Fatalf("who awaits it ended with %d", code)
		}
	case <-time.After(patience):
		t.Fatal("nobody was told that it is held")
	}
}

// runs executes a command in the container and expects its exit code; it returns what it wrote.
func (c *container) runs(t *testing.T, want int, command ...string) string {
	t.Helper()
	var out bytes.Buffer
	select {
	case code := <-c.execTo(&out, command...):
		if code != want {
			t.Fatalf("exit code %d, want %d; it wrote %q", code, want, out.String())
		}
	case <-time.After(patience):
		t.Fatal("it did not end")
	}
	return out.String()
}

func (c *container) letGo(t *testing.T) {
	t.Helper()
	done := c.exec(debugpod.LetGo()...)
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("it was not let go")
	}
}

// folderOf is where a test's debugger leaves files: its mount namespace has the machine's folders.
func folderOf(t *testing.T, asked debugger) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, asked.user, asked.user); err != nil {
		t.Fatal(err)
	}
	return folder
}

// A container is held when its command has ended, its file is read, and it ends as its command did when it is let go.
func TestHeldForItsFiles(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		for _, asked := range []debugger{{shell: shell}, {shell: shell, target: startTarget(t)}, {shell: shell, target: startTarget(t), user: ordinaryUser}} {
			file := filepath.Join(folderOf(t, asked), "dump.pcap")
			c := held(t, asked, "sleep 1; printf 'a\\0b' >"+file+"; sleep 1009 & exit 7")
			if got := c.runs(t, 0, debugpod.ReadFile(file, 100)...); got != "a\x00b" {
				t.Errorf("it reads %q", got)
			}
			for _, p := range c.processes() {
				if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid)); err == nil && string(args) == "sleep\x001009\x00" {
					t.Errorf("%v, which the command has started, runs on", p)
				}
			}
			c.letGo(t)
			if code := c.code(); code != 7 {
				t.Errorf("it ended with %d", code)
			}
		}
	})
}

// What is no regular file of the debugger's own is not read.
func TestFilesThatAreNotRead(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		asked := debugger{shell: shell, target: startTarget(t), user: ordinaryUser}
		folder := folderOf(t, asked)
		c := held(t, asked, "cd "+folder+"; mkdir sub; echo mine >sub/file; ln -s sub linked; ln -s sub/file link; ln -s /proc/1/root proc; mkfifo fifo; echo no >closed; chmod 0 closed")
		for name, code := range map[string]int{
			"none": debugpod.ExitFileMissing, "sub": debugpod.ExitFileNotRegular, "fifo": debugpod.ExitFileNotRegular, "sub/file/x": debugpod.ExitFileMissing,
			"link": debugpod.ExitFileLinked, "linked/file": debugpod.ExitFileLinked, "proc/etc/passwd": debugpod.ExitFileLinked, "closed": debugpod.ExitFileForbidden,
			"sub/file": 0,
		} {
			if wrote := c.runs(t, code, debugpod.ReadFile(filepath.Join(folder, name), 100)...); code != 0 && wrote != "" {
				t.Errorf("%s: it wrote %q", name, wrote)
			}
		}
		c.runs(t, debugpod.ExitFileNotRegular, debugpod.ReadFile("/dev/null", 100)...)
		// Seen past the links: what is open is on a mount of the target's.
		c.runs(t, debugpod.ExitFileLinked, debugpod.ReadFile("/proc/1/root/etc/passwd", 1<<20)...)
		c.letGo(t)
		c.code()
	})
}

// A file that is larger than it may be is not written, and none of a container that is not held: it may be another one of its name.
func TestFilesThatAreTooLargeOrTooEarly(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		asked := debugger{shell: shell, target: startTarget(t), user: ordinaryUser}
		file := filepath.Join(folderOf(t, asked), "dump")
		asked.hold, asked.command = time.Minute, []string{"sh", "-c", "printf 123 >" + file + "; echo there; read -r line"}
		c := start(t, asked)
		c.says("there")
		if wrote := c.runs(t, debugpod.ExitFileNotHeld, debugpod.ReadFile(file, 3)...); wrote != "" {
			t.Errorf("it wrote %q", wrote)
		}
		sleepers := []<-chan int{c.exec(debugpod.AwaitFiles()...), c.exec(debugpod.AwaitFiles()...)}
		c.named("awaits files", len(sleepers))
		c.types("\n")
		for _, woken := range sleepers {
			select {
			case code := <-woken:
				if code != 0 && code != debugpod.ExitAwoken { // 0 if it is held by the time that it looks
					t.Errorf("who awaits it ended with %d", code)
				}
			case <-time.After(patience):
				t.Fatal("it was not woken")
			}
		}
		if wrote := c.runs(t, debugpod.ExitFileTooLarge, debugpod.ReadFile(file, 2)...); wrote != "" {
			t.Errorf("it wrote %q", wrote)
		}
		if wrote := c.runs(t, 0, debugpod.ReadFile(file, 3)...); wrote != "123" {
			t.Errorf("it wrote %q", wrote)
		}
		c.letGo(t)
		c.code()
	})
}

// What a target has on a mount of its own is not the debugger's, also if no link in its path is seen: it may be put there as it is opened.
func TestAnotherContainersMount(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		c := held(t, debugger{shell: shell, target: startTarget(t)}, ":")
		command := debugpod.ReadFile("/proc/1/root/etc/passwd", 1<<20)
		blind := strings.Replace(command[2], `[ -L "$walked" ] && exit 42`, ":", 1)
		if blind == command[2] {
			t.Fatal("the script looks for links in another way")
		}
		command[2] = blind
		if wrote := c.runs(t, debugpod.ExitFileNotRegular, command...); wrote != "" {
			t.Errorf("it wrote %q", wrote)
		}
		c.letGo(t)
		c.code()
	})
}

// Its deadline and the sweep end it while it is held, and nobody's coming does.
func TestHeldNoLongerThanItMay(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		for name, end := range map[string]func(asked debugger) *container{
			"hold": func(asked debugger) *container {
				asked.hold, asked.command = 2*time.Second, []string{"sh", "-c", "exit 7"}
				return start(t, asked)
			},
			"deadline": func(asked debugger) *container {
				asked.left = 6 * time.Second
				return held(t, asked, "exit 7")
			},
			"sweep": func(asked debugger) *container {
				c := held(t, asked, "exit 7")
				c.sweep()
				return c
			},
		} {
			c := end(debugger{shell: shell, target: startTarget(t)})
			if code := c.code(); code != 7 {
				t.Errorf("%s: it ended with %d, %s", name, code, c.lastWords())
			}
		}
	})
}

// Without cat nothing could read its files.
func TestHeldNeedsCat(t *testing.T) {
	eachShell(t, func(t *testing.T, shell string) {
		if shell == "busybox" {
			t.Skip("it has cat built in")
		}
		bare := t.TempDir()
		if err := os.Chmod(filepath.Dir(bare), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{"sh", "sleep", "date"} {
			link(t, shell, bare, tool)
		}
		c := start(t, debugger{shell: shell, path: bare, hold: time.Minute, command: []string{"sh", "-c", ":"}})
		if code, words := c.code(), c.lastWords(); code != debugpod.ExitUnable || !strings.Contains(words, "no cat is in its PATH") {
			t.Errorf("exit code %d: %s", code, words)
		}
	})
}
