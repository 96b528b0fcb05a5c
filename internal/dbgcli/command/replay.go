package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/plaintext"
	"debugsession.dev/operator/internal/transcript"
)

// terminalReset undoes what a transcript may leave behind in a terminal: colours, a hidden cursor, the other screen.
const terminalReset = "\x1b[0m\x1b[?25h\x1b[?1049l"

type replayOptions struct {
	*environment
	store     storeFlag
	format    string
	speed     float64
	idleLimit time.Duration
}

func newReplay(env *environment) *cobra.Command {
	o := &replayOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "replay (NAME | KEY) --store=URL",
		Short: "Replay a session's output from its transcript",
		Long: `Replay a session's output, as it was printed, from its transcript in the audit store.

NAME selects the newest session of that name; KEY is the key of a session's audit record. The session must have ended, and its class must keep
transcripts. The transcript is checked against the audit record; to verify the record as well, run kubectl dbg audit verify.

The output is sent to your terminal unchanged, with every control sequence that the terminal obeys. -o text makes it harmless.`,
		Example: `  # At double speed, with no pause longer than a second
  kubectl dbg replay checkout-hang -n shop --store=s3://audit --speed=2 --idle-limit=1s

  # For asciinema
  kubectl dbg replay checkout-hang -n shop --store=s3://audit -o cast > hang.cast`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0]) },
	}
	o.store.bind(cmd.Flags())
	cmd.Flags().Float64Var(&o.speed, "speed", 1, "How many times faster than the original.")
	cmd.Flags().DurationVar(&o.idleLimit, "idle-limit", 2*time.Second, "The longest pause, before --speed applies; 0 keeps pauses as they were.")
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "Print it instead of playing it: text, harmless on a terminal, or cast, the file as it is stored.")
	return cmd
}

func (o *replayOptions) run(ctx context.Context, name string) error {
	switch {
	case o.format != "" && o.format != "text" && o.format != "cast":
		return fmt.Errorf("-o %s: must be text or cast", o.format)
	case o.speed <= 0:
		return fmt.Errorf("--speed=%v: must be greater than 0", o.speed)
	}
	store, err := o.store.open(ctx)
	if err != nil {
		return err
	}
	named, text, err := o.read(ctx, store, name)
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	if err := o.show(ctx, named, text); err != nil {
		return err
	}
	if named.Incomplete != "" {
		fmt.Fprintf(o.ErrOut, "The transcript may be incomplete: %s\n", plaintext.Line(named.Incomplete))
	}
	return nil
}

// read reads the transcript of a session, and sees that it is the one that its record names.
func (o *replayOptions) read(ctx context.Context, store *auditstore.Store, name string) (*v1alpha1.TranscriptStatus, []byte, error) {
	record, err := o.findRecord(ctx, store, name)
	if err != nil {
		return nil, nil, err
	}
	named := record.Session.Transcript
	if named == nil {
		return nil, nil, fmt.Errorf("session %s has no transcript: either class %s does not keep them (spec.transcript), or the debugger never ran",
			plaintext.Line(record.Session.Name), plaintext.Line(record.Session.Spec.ClassName))
	}
	var text bytes.Buffer
	found, err := audit.ReadParts(ctx, store, named.Key, &text)
	switch {
	case err != nil:
		return nil, nil, err
	case found.Count != named.Parts || found.SHA256 != named.SHA256:
		return nil, nil, fmt.Errorf("the transcript at %s is not what was written: %d parts were written, %d were found; kubectl dbg audit verify shows the details",
			plaintext.Line(named.Key), named.Parts, found.Count)
	}
	return named, text.Bytes(), nil
}

func (o *replayOptions) show(ctx context.Context, named *v1alpha1.TranscriptStatus, text []byte) error {
	if o.format == "cast" && named.Format != v1alpha1.TranscriptCast && named.Parts > 0 {
		return errors.New("-o cast: the session had no terminal, so its transcript is plain text")
	}
	if o.format == "cast" {
		_, err := o.Out.Write(text)
		return err
	}
	if named.Format != v1alpha1.TranscriptCast || named.Parts == 0 {
		_, err := io.WriteString(o.Out, plaintext.Text(string(text)))
		return err
	}
	events, err := transcript.Events(text)
	if err != nil {
		return err
	}
	if o.format == "text" {
		for _, event := range events {
			if _, err := io.WriteString(o.Out, plaintext.Text(event.Data)); err != nil {
				return err
			}
		}
		return nil
	}
	return o.play(ctx, events)
}

// play prints what was printed, at the pace at which it was.
func (o *replayOptions) play(ctx context.Context, events []transcript.Event) error {
	defer fmt.Fprint(o.Out, terminalReset)
	var before time.Duration
	for _, event := range events {
		pause := event.At - before
		if o.idleLimit > 0 {
			pause = min(pause, o.idleLimit)
		}
		timer := time.NewTimer(time.Duration(float64(pause) / o.speed))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if _, err := io.WriteString(o.Out, event.Data); err != nil {
			return err
		}
		before = event.At
	}
	return nil
}
