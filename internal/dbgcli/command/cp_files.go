package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/rand"
	utilexec "k8s.io/client-go/util/exec"

	"debugsession.dev/operator/internal/dbgcli/archive"
	"debugsession.dev/operator/internal/dbgcli/terminal"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/plaintext"
)

// staging is what a folder's name begins with that has what is not there as a whole yet.
const staging = ".kubectl-dbg-"

// copyFrom copies out of the debugger.
func (o *cpOptions) copyFrom(ctx context.Context, d terminal.Debugger) error {
	from := path.Clean(o.there)
	folder, base := path.Split(from)
	if from == "/" || base == "." || base == ".." {
		folder, base = from, "."
	}
	to := o.here
	if info, err := os.Stat(to); err == nil && info.IsDir() && base != "." {
		to = filepath.Join(to, base)
	}
	staged, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), staging+"*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staged)
	leftOut, err := o.receive(ctx, d, staged, []string{"tar", "-cf", "-", "-C", cmp.Or(folder, "."), "./" + base})
	if err != nil {
		return err
	}
	if len(leftOut) > 0 {
		fmt.Fprintf(o.ErrOut, "skipped, neither files nor directories: %s\n", plaintext.Text(strings.Join(leftOut, ", ")))
	}
	whole := filepath.Join(staged, base)
	if _, err := os.Lstat(whole); err != nil {
		return fmt.Errorf("%s in the debugger is neither a file nor a directory: copy what it links to instead", o.there)
	}
	return archive.Place(whole, to)
}

func (o *cpOptions) receive(ctx context.Context, d terminal.Debugger, staged string, command []string) (leftOut []string, err error) {
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := o.exec(ctx, d, command, nil, writer)
		writer.Close()
		done <- err
	}()
	leftOut, err = archive.Unpack(staged, reader)
	if err != nil && !errors.Is(err, archive.ErrCut) {
		reader.CloseWithError(err) // which ends the other side
		return nil, err
	}
	_, _ = io.Copy(io.Discard, reader) // what tar pads its output with
	if failed := <-done; failed != nil {
		return nil, failed
	}
	return leftOut, err
}

// unpack puts what comes where it belongs once it is all there. Whatever ends it before, nothing is left of what came; what a
// connection left behind that was lost, it takes away.
const unpack = `to=$1 name=$2 staging=$3 try=$4 complete=$5
shift 5
[ ! -d "$to" ] || to=${to%/}/$name
folder=$(dirname "$to")
rm -rf "$folder/$staging"*
staged=$folder/$staging$try
mkdir "$staged" || exit
trap 'rm -rf "$staged"' EXIT
trap 'exit 1' HUP INT TERM
tar "$@" -C "$staged" -xmf - || exit
[ -e "$staged/$complete" ] || { echo "the transfer is incomplete" >&2; exit 1; }
if [ -d "$staged/$name" ] && [ -d "$to" ]; then
	cp -pR "$staged/$name/." "$to/"
else
	mv -f "$staged/$name" "$to"
fi`

// copyTo copies into the debugger.
func (o *cpOptions) copyTo(ctx context.Context, d terminal.Debugger) error {
	if _, err := os.Stat(o.here); err != nil {
		return err
	}
	here, err := filepath.Abs(o.here) // whose last part is a name, also of . and ..
	if err != nil {
		return err
	}
	name := filepath.Base(here)
	if o.staging == "" {
		o.staging = staging + rand.String(8) + "-"
	}
	command := []string{"sh", "-c", unpack, "dbg", o.there, name, o.staging, rand.String(4), archive.Complete}
	if o.noPreserve {
		command = append(command, "--no-same-permissions", "--no-same-owner")
	}
	reader, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := archive.Pack(writer, here, name)
		writer.CloseWithError(err)
		packed <- err
	}()
	err = o.exec(ctx, d, command, reader, io.Discard)
	reader.CloseWithError(errStopped) // what still packs stops
	if failed := <-packed; failed != nil && !errors.Is(failed, errStopped) {
		return failed
	}
	return err
}

var errStopped = errors.New("stopped")

// exec runs a command in the debugger, and tells a command that failed from a connection that did.
func (o *cpOptions) exec(ctx context.Context, d terminal.Debugger, command []string, stdin io.Reader, stdout io.Writer) error {
	var said bytes.Buffer
	err := d.Exec(ctx, command, stdin, stdout, &said)
	var (
		code   utilexec.CodeExitError
		status apierrors.APIStatus
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &code):
		return fmt.Errorf("in the debugger: %s", cmp.Or(plaintext.Text(strings.TrimSpace(said.String())), fmt.Sprintf("%s exited with code %d", command[0], code.Code)))
	case diagnosis.LacksProgram(err.Error()):
		return fmt.Errorf("the debugger's image has no %s, which cp needs: kubectl dbg TARGET --image=IMAGE opens a session with an image that has it", command[0])
	case errors.As(err, &status) && !apierrors.IsInternalError(err) && !apierrors.IsServerTimeout(err) && !apierrors.IsServiceUnavailable(err):
		return err
	default:
		return lostError{err}
	}
}
