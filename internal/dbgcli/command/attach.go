package command

import (
	"errors"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"debugsession.dev/operator/internal/dbgcli/request"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/dbgcli/terminal"
)

func newAttach(env *environment) *cobra.Command {
	var (
		options visitOptions
		end     bool
	)
	cmd := &cobra.Command{
		Use:   "attach [NAME]",
		Short: "Attach to an existing session, once it is running",
		Long: `Attach to an existing session, once it is running: one that you left, one that waited for approval, or one created from Git.
NAME defaults to your only open session in the namespace. The session stays open when you leave, unless you exit its shell.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: env.completeSessions,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			conn, session, err := env.find(ctx, first(args))
			if err != nil {
				return err
			}
			if members := story.AttachToMember(session); members != "" {
				return errors.New(members)
			}
			tty := terminal.New(env.IOStreams, options.quiet)
			v := &visit{visitOptions: options, environment: env, conn: conn, tty: tty, ours: end}
			v.stdin = request.Gated(session) && !tty.TypedInto()
			return v.run(ctx, session)
		},
	}
	cmd.Flags().BoolVar(&end, "end", false, "End the session when you leave.")
	cmd.Flags().BoolVarP(&options.quiet, "quiet", "q", false, "Print only what the debugger writes.")
	cmd.Flags().StringVar(&options.detachKeys, "detach-keys", defaultDetachKeys, "Keys that detach from the debugger without ending it.")
	return cmd
}
