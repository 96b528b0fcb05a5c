package debugpod

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
)

// AwaitFiles returns the command that ends when the debugger's command has ended and its container is held. It needs a line a second on its
// standard input, and fails without.
func AwaitFiles() []string {
	return []string{"sh", "-c", bare(processesScript + awaitFilesScript), wrapperName}
}

// ReadFile returns the command that writes a file to its standard output, if it is a regular file of the container. What it writes may
// be anything, and as long as it likes.
func ReadFile(path string) []string {
	return []string{"sh", "-c", bare(readFileScript), wrapperName, path}
}

// LetGo returns the command that lets a container end that is held. Its own exit code says nothing if the container has ended. Its clock is that of
// the sweep.
func LetGo() []string {
	return []string{"sh", "-c", bare(processesScript + execScript + letGoScript), wrapperName}
}
