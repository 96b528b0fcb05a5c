package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/preview"
	"debugsession.dev/operator/internal/dbgcli/request"
	"debugsession.dev/operator/internal/dbgcli/sessions"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/dbgcli/terminal"
	"debugsession.dev/operator/internal/plaintext"
)

type decideOptions struct {
	*environment
	decision v1alpha1.Decision
	message  string
	yes      bool
}

func newApprove(env *environment) *cobra.Command {
	return newDecide(&decideOptions{environment: env, decision: v1alpha1.DecisionApprove}, &cobra.Command{
		Use:   "approve NAME [-m WHY]",
		Short: "Show what a session would do, and approve it",
		Long: `Approve a session that is waiting for approval, or one that started before its approval and is awaiting review, even if it has ended. Shows
who asked, why and for how long, and what would be added to which pod, as a diff; then asks for confirmation. You approve what was shown: if
the session changes in the meantime, the approval is refused.`,
		Example: "  kubectl dbg list --waiting\n  kubectl dbg approve alice-checkout-261127-114005 -m 'only the canary, please'",
	})
}

func newDeny(env *environment) *cobra.Command {
	return newDecide(&decideOptions{environment: env, decision: v1alpha1.DecisionDeny}, &cobra.Command{
		Use:   "deny NAME [-m WHY]",
		Short: "Deny a session, which ends it",
		Long:  "Deny a session that is waiting for approval or review, after showing the same details as approve. This is final: the session ends; if it has already ended, it is denied in review.",
	})
}

func newDecide(o *decideOptions, cmd *cobra.Command) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = cobra.ExactArgs(1), o.completeSessions
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0]) }
	cmd.Flags().StringVarP(&o.message, "message", "m", "", "The reason for the decision. Kept on record.")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "Do not ask for confirmation.")
	return cmd
}

func (o *decideOptions) run(ctx context.Context, name string) error {
	conn, session, err := o.find(ctx, name)
	if err != nil {
		return err
	}
	waits := session.Status.Phase == v1alpha1.PhaseAwaitingApproval || session.Status.AwaitsReview()
	if !waits || session.Status.Request == nil {
		return fmt.Errorf("session %s is not waiting for approval or review: it is %s; kubectl dbg list --waiting shows those that are", session.Name, cmp.Or(string(session.Status.Phase), "Pending"))
	}
	if err := o.show(ctx, conn, session); err != nil {
		return err
	}
	if !o.yes {
		if err := o.ask(ctx); err != nil {
			return err
		}
	}
	me, err := conn.Me(ctx)
	if err != nil {
		return err
	}
	made, err := decide(ctx, conn, request.Approval(session, o.decision, o.message, me.Username))
	if err != nil {
		return err
	}
	return o.report(ctx, conn, session, made)
}

// show is all that somebody should know who decides.
func (o *decideOptions) show(ctx context.Context, conn *connection, session *v1alpha1.DebugSession) error {
	for _, fact := range story.Request(session) {
		fmt.Fprintf(o.Out, "%-9s %s\n", fact.Name, fact.Value)
	}
	var target *corev1.Pod // of one that has started it is not as it was: what was made is shown whole
	if !session.Status.AwaitsReview() {
		var err error
		if target, err = readTarget(ctx, conn, session); err != nil {
			return err
		}
	}
	diff, err := preview.Diff(session, target)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "\n%s\n\n", paintDiff(o.Out, plaintext.Text(diff)))
	return nil
}

// readTarget is the pod as it is; nil for a node, and for somebody who may not read pods.
func readTarget(ctx context.Context, conn *connection, session *v1alpha1.DebugSession) (*corev1.Pod, error) {
	at := session.Status.Target
	if at == nil || at.PodName == "" {
		return nil, nil
	}
	pod, err := conn.Kubernetes.CoreV1().Pods(session.Namespace).Get(ctx, at.PodName, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return nil, nil
	case apierrors.IsNotFound(err) || err == nil && pod.UID != at.PodUID:
		return nil, fmt.Errorf("pod %s, the target of session %s, no longer exists: the approval would be refused", at.PodName, session.Name)
	}
	return pod, err
}

func (o *decideOptions) ask(ctx context.Context) error {
	tty := terminal.New(o.IOStreams, false)
	if !tty.TypedInto() {
		return errors.New("cannot ask for confirmation without a terminal: add --yes")
	}
	answer, err := tty.Ask(ctx, string(o.decision)+"? [y/N]:", "no", "yes")
	if err != nil || answer != "yes" {
		return errors.New("no decision was made; run the same command to try again")
	}
	return nil
}

// decide makes the approval. One that somebody made of that name for another session, or another time, is no reason to fail.
func decide(ctx context.Context, conn *connection, approval *v1alpha1.DebugApproval) (*v1alpha1.DebugApproval, error) {
	name := approval.Name
	for try := 2; ; try++ {
		made, err := conn.CreateApproval(ctx, approval, metav1.CreateOptions{FieldManager: fieldManager})
		if !apierrors.IsAlreadyExists(err) || try > 10 {
			if refused(err) {
				return nil, &exitError{story.ExitDenied, "error: " + err.Error()}
			}
			return made, err
		}
		approval.Name = fmt.Sprintf("%s-%d", name, try)
	}
}

// report waits a moment for what the operator makes of it.
func (o *decideOptions) report(ctx context.Context, conn *connection, session *v1alpha1.DebugSession, made *v1alpha1.DebugApproval) error {
	waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	done := strings.ToLower(string(o.decision)) + "d"
	if o.decision == v1alpha1.DecisionDeny {
		done = "denied"
	}
	news, err := conn.Track(waiting, session).Until(waiting, func(news sessions.News) bool {
		return news.Gone || story.Counts(news.Session, made.Name)
	})
	switch {
	case news.Gone:
		return fmt.Errorf("session %s was deleted in the meantime; kubectl dbg list --waiting shows what else is waiting", session.Name)
	case err != nil:
		return fmt.Errorf("%s, but the operator has not processed it yet: kubectl -n %s get dbgapproval %s", done, session.Namespace, made.Name)
	}
	text, _ := story.Progress(news.Session, o.now())
	if review := story.Review(news.Session); review != "" {
		text = "was " + review
	}
	fmt.Fprintf(o.Out, "%s: session %s: %s\n", done, session.Name, text)
	return nil
}
