//go:build linux

package deadline

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roleVariable tells this binary what to be when it starts itself: a target, or a container about to become its command.
const roleVariable = "DEADLINE_TEST_ROLE"

// shells are the PATHs that make sh one of the shells that images have.
var shells = map[string]string{}

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVariable) {
	case "target":
		err = beTarget()
	case "container":
		err = beContainer()
	case "headless":
		err = beHeadless()
	default:
		err = test(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func test(m *testing.M) error {
	if os.Getuid() != 0 {
		fmt.Println("skipped: only root can make the namespaces that a container has")
		return nil
	}
	bin, err := os.MkdirTemp("", "deadline")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if err := findShells(bin); err != nil {
		return err
	}
	// A shell cannot trap what was ignored when it started: nohup, or a CI that runs this by it, must not show in the tests.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil { // they wait, mostly
		return err
	}
	if code := m.Run(); code != 0 {
		_ = os.RemoveAll(bin)
		os.Exit(code)
	}
	return nil
}

// findShells makes a folder for each shell, with sh in it; busybox has its own tools, the others Debian's.
func findShells(bin string) error {
	if err := os.Chmod(bin, 0o755); err != nil {
		return err
	}
	for _, shell := range []string{"dash", "bash", "busybox"} {
		program, err := exec.LookPath(shell)
		if err != nil {
			fmt.Printf("skipped: %s is not installed\n", shell)
			continue
		}
		folder := filepath.Join(bin, shell)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		shells[shell] = folder
		if shell == "busybox" {
			if err := exec.Command(program, "--install", "-s", folder).Run(); err != nil {
				return err
			}
			continue
		}
		shells[shell] += ":/usr/bin:/bin"
		if err := os.Symlink(program, filepath.Join(folder, "sh")); err != nil {
			return err
		}
	}
	return nil
}

// beTarget is the user's application. It never waits for a child, and ends when its standard input does.
func beTarget() error {
	if err := ownProc(); err != nil {
		return err
	}
	for _, user := range []uint32{0, ordinaryUser} {
		worker := exec.Command("sleep", "infinity")
		worker.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		if err := worker.Start(); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// beContainer makes the mounts of a container, takes its user and becomes its command.
func beContainer() error {
	if _, err := io.Copy(io.Discard, os.NewFile(3, "hold")); err != nil {
		return err
	}
	if err := ownProc(); err != nil {
		return err
	}
	if err := ownDev(); err != nil {
		return err
	}
	user, err := strconv.Atoi(os.Getenv("USER_ID"))
	if err != nil {
		return err
	}
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	environment := []string{"PATH=" + os.Getenv("CONTAINER_PATH"), "HISTFILE=", "TERM=dumb", "ODD.NAME=1"}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setresgid(user, user, user); err != nil {
		return err
	}
	if most, limited := processLimits[user]; limited {
		limit := syscall.Rlimit{Cur: most, Max: most}
		if err := syscall.Setrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
			return err
		}
	}
	if err := syscall.Setresuid(user, user, user); err != nil {
		return err
	}
	shell, err := filepath.EvalSymlinks(filepath.Join(filepath.SplitList(os.Getenv("CONTAINER_PATH"))[0], "sh"))
	if err != nil {
		return err
	}
	return syscall.Exec(shell, os.Args[1:], environment)
}

// ownProc mounts /proc as this process namespace has it.
func ownProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("proc", "/proc", "proc", 0, "")
}

// ownDev mounts a /dev as runtimes make it, with a termination log, and with a console if there is a terminal.
func ownDev() error {
	dev := os.Getenv("LAST_LOG") + ".dev"
	if err := os.Mkdir(dev, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dev, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for name, number := range map[string]uint64{"null": unix.Mkdev(1, 3), "zero": unix.Mkdev(1, 5), "tty": unix.Mkdev(5, 0)} {
		node := filepath.Join(dev, name)
		if err := unix.Mknod(node, unix.S_IFCHR, int(number)); err != nil {
			return err
		}
		if err := os.Chmod(node, 0o666); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(dev, "pts"), 0o755); err != nil {
		return err
	}
	if err := unix.Mount("/dev/pts", filepath.Join(dev, "pts"), "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := os.Chmod(os.Getenv("LAST_LOG"), 0o666); err != nil {
		return err
	}
	files := map[string]string{"termination-log": os.Getenv("LAST_LOG")}
	if terminal := os.Getenv("TERMINAL"); terminal != "" {
		files["console"] = terminal
	}
	for name, from := range files {
		file := filepath.Join(dev, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		if err := unix.Mount(from, file, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return unix.Mount(dev, "/dev", "", unix.MS_MOVE, "")
}
