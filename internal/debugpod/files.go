package debugpod

import "strconv"

// The commands by which the operator reads the files that a session keeps, out of a container that its wrapper holds for that. They are for
// pods/exec, and run as the debugger's user in the debugger's container: they can read what the debugger could, and nothing else.

// The exit codes of ReadFile, of a file that is not written whole.
const (
	ExitFileMissing    = 40
	ExitFileNotRegular = 41
	ExitFileLinked     = 42
	ExitFileForbidden  = 43
	ExitFileUnknown    = 44
	ExitFileFailed     = 45
	ExitFileNotHeld    = 46
	ExitFileTooLarge   = 47
)

// ExitAwoken is that of AwaitFiles if it was woken, by SIGUSR1: the container is held now.
const ExitAwoken = 128 + 10

// AwaitFiles returns the command that ends when the debugger's command has ended and its container is held. It sleeps for as long as its
// standard input is open, and fails at the end of that.
func AwaitFiles() []string {
	return []string{"sh", "-c", bare(processesScript + heldScript + awaitFilesScript), wrapperName}
}

// ReadFile returns the command that writes a file to its standard output, if it is a regular file of a container that is held, of no more bytes
// than most. What it writes may be anything, and as long as it likes: its size may be another when it is read, and not every image can tell it.
func ReadFile(path string, most int64) []string {
	return []string{"sh", "-c", bare(processesScript + heldScript + readFileScript), wrapperName, path, strconv.FormatInt(most, 10)}
}

// LetGo returns the command that lets a container end that is held. Its own exit code says nothing if the container has ended. Its clock is that of
// the sweep.
func LetGo() []string {
	return []string{"sh", "-c", bare(processesScript + execScript + heldScript + letGoScript), wrapperName}
}
