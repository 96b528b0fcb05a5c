package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/sessions"
	"debugsession.dev/operator/internal/dbgcli/story"
)

// How long ending waits: for the API server to be told, and then for what has ended to say how.
const (
	endTimeout     = 15 * time.Second
	outcomeTimeout = 30 * time.Second
)

// interruptions are Ctrl-C, while the terminal is not the debugger's.
func interruptions() (<-chan os.Signal, func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	return signals, func() { signal.Stop(signals) }
}

// interrupted asks what is to become of a session that its requester does not wait for any longer. Nil: it is waited for after all.
func (v *visit) interrupted(ctx context.Context, session *v1alpha1.DebugSession) error {
	if !v.ours {
		return &exitError{story.ExitInterrupted, ""}
	}
	if !v.tty.TypedInto() {
		return v.abandon(ctx, session)
	}
	interrupts, stop := interruptions()
	defer stop()
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a second Ctrl-C is an answer
		select {
		case <-interrupts:
			cancel()
		case <-asking.Done():
		}
	}()
	answer, err := v.tty.Ask(asking, "[E]nd the session, [l]eave it open, or keep [w]aiting?", "end", "leave", "wait")
	switch {
	case err != nil || answer == "end":
		return v.abandon(ctx, session)
	case answer == "leave":
		v.tty.Progress.Say(v.stays(session))
		return &exitError{story.ExitInterrupted, ""}
	default:
		return nil
	}
}

// abandon ends a session that nobody waits for; kept or not, nobody was in it.
func (v *visit) abandon(ctx context.Context, session *v1alpha1.DebugSession) error {
	if v.keep || !v.ours {
		return &exitError{story.ExitInterrupted, v.stays(session)}
	}
	if err := v.end(ctx, session); err != nil {
		return err
	}
	return &exitError{story.ExitInterrupted, fmt.Sprintf("session %s was ended", session.Name)}
}

func (v *visit) stays(session *v1alpha1.DebugSession) string {
	line := fmt.Sprintf("session %s stays open", session.Name)
	if expires := session.Status.ExpiresAt; expires != nil {
		line += " until " + expires.Local().Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s: kubectl dbg attach %[2]s returns to it, kubectl dbg end %[2]s ends it", line, session.Name)
}

// leave ends a session that goes on, if it is ours to end, and returns how the debugger ended.
func (v *visit) leave(ctx context.Context) error {
	news, _ := v.tracker.Latest()
	session := news.Session
	if !news.Gone && !story.Over(session) {
		if v.keep || !v.ours {
			v.tty.Progress.Say(v.stays(session))
			return nil
		}
		return v.abandon(ctx, session)
	}
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	news, err := v.tracker.Until(waiting, func(news sessions.News) bool { return news.Gone || story.Told(news.Session) })
	if err != nil {
		return fmt.Errorf("session %s has not reported how it ended; kubectl dbg describe %[1]s shows its status", session.Name)
	}
	return ended(news.Session)
}

// ended is how a session's end is passed on: the command's own exit code without a word, everything else with one.
func ended(session *v1alpha1.DebugSession) error {
	code := story.ExitCode(session)
	if story.Outcome(session) == v1alpha1.OutcomeCompleted {
		if code == 0 {
			return nil
		}
		return &exitError{code, ""}
	}
	message := fmt.Sprintf("%s; kubectl dbg describe %s -n %s shows its history", story.Epitaph(session), session.Name, session.Namespace)
	if help := story.Help(session); help != "" {
		message += "\n" + help
	}
	return &exitError{code, message}
}

// end asks for a session's end. Somebody who hangs up must not keep it alive: the context's end does not matter.
func (v *visit) end(ctx context.Context, session *v1alpha1.DebugSession) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	return endSession(ctx, v.conn, session)
}

// endSession sets spec.end, over an API server that is away for a moment.
func endSession(ctx context.Context, conn *connection, session *v1alpha1.DebugSession) error {
	for {
		_, err := conn.Sessions(session.Namespace).Patch(ctx, session.Name, types.MergePatchType,
			fmt.Appendf(nil, `{"metadata":{"uid":%q},"spec":{"end":true}}`, session.UID), metav1.PatchOptions{FieldManager: fieldManager})
		var status apierrors.APIStatus
		switch {
		case err == nil || apierrors.IsNotFound(err):
			return nil
		case errors.As(err, &status) && !apierrors.IsServerTimeout(err) && !apierrors.IsInternalError(err) && !apierrors.IsServiceUnavailable(err):
			return fmt.Errorf("cannot end session %s: %w", session.Name, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("session %s could not be ended: %w; kubectl dbg end %[1]s tries again", session.Name, err)
		}
	}
}
