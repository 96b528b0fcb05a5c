package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/plaintext"
)

type artifactsOptions struct {
	*environment
	store storeFlag
	to    string
}

func newArtifacts(env *environment) *cobra.Command {
	o := &artifactsOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "artifacts (NAME | KEY) [PATH] --store=URL",
		Short: "List the files that a session kept, or download one",
		Long: `List the files that a session kept in the audit store, or download one.

NAME selects the newest session of that name; KEY is the key of a session's audit record. The session must have ended. PATH is where the file was in the
debugger. It is written to a new file, which must not exist yet, and checked against the audit record; to verify the record as well, run kubectl dbg audit
verify. What is in it is the debugger's: treat it as you would any file of a stranger.`,
		Example: `  # What was kept
  kubectl dbg artifacts checkout-dump -n shop --store=s3://audit

  # Download one, as dump.pcap
  kubectl dbg artifacts checkout-dump /tmp/dump.pcap -n shop --store=s3://audit`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.store.bind(cmd.Flags())
	cmd.Flags().StringVar(&o.to, "to", "", "The file to write, which must not exist. Defaults to the last part of PATH, in the current folder.")
	return cmd
}

func (o *artifactsOptions) run(ctx context.Context, args []string) (err error) {
	if len(args) == 1 && o.to != "" {
		return errors.New("--to: say which file to download: kubectl dbg artifacts NAME PATH")
	}
	store, err := o.store.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	record, err := o.findRecord(ctx, store, args[0])
	if err != nil {
		return err
	}
	kept := record.Session.Artifacts
	if len(kept) == 0 {
		return fmt.Errorf("session %s has no artifacts: either it names none (debugger.artifacts), or the debugger never ran", plaintext.Line(record.Session.Name))
	}
	if len(args) == 1 {
		return o.list(kept)
	}
	i := slices.IndexFunc(kept, func(a v1alpha1.ArtifactStatus) bool { return a.Path == args[1] })
	switch {
	case i < 0:
		return fmt.Errorf("session %s keeps no file %s; kubectl dbg artifacts %s --store=%s lists what it keeps", plaintext.Line(record.Session.Name), args[1], args[0], store.Name())
	case kept[i].State != v1alpha1.ArtifactKept:
		return fmt.Errorf("%s was not kept: %s: %s", args[1], plaintext.Line(string(kept[i].State)), plaintext.Line(kept[i].Message))
	}
	return o.download(ctx, store, &kept[i])
}

func (o *artifactsOptions) list(kept []v1alpha1.ArtifactStatus) error {
	rows := make([][]string, len(kept))
	for i, a := range kept {
		size, what := "", plaintext.Line(a.Message)
		if a.State == v1alpha1.ArtifactKept {
			size, what = strconv.FormatInt(a.Bytes, 10), "sha256:"+plaintext.Line(a.SHA256)
		}
		rows[i] = []string{plaintext.Line(a.Path), plaintext.Line(string(a.State)), size, what}
	}
	return table(o.Out, []string{"PATH", "STATE", "BYTES", "DETAIL"}, rows)
}

// download writes a file that is not there yet, for its user alone, and leaves none that is not what the record says.
func (o *artifactsOptions) download(ctx context.Context, store audit.Reader, kept *v1alpha1.ArtifactStatus) error {
	name := o.to
	if name == "" {
		name = path.Base(kept.Path)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists and is not overwritten: set another name with --to", name)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(audit.ReadArtifact(ctx, store, kept, file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	fmt.Fprintf(o.ErrOut, "%s: %d bytes, sha256:%s, as the audit record says\n", name, kept.Bytes, plaintext.Line(kept.SHA256))
	return nil
}
