package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/request"
	"debugsession.dev/operator/internal/dbgcli/sessions"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/dbgcli/terminal"
)

// visitOptions is how somebody goes into a session.
type visitOptions struct {
	keep       bool
	quiet      bool
	detachKeys string
}

// visit is one person's way into a session and out of it again.
type visit struct {
	visitOptions
	*environment
	conn    *connection
	tty     *terminal.Terminal
	stdin   bool // standard input goes to a command that waits for nothing else
	ours    bool // the session was asked for just now: it is ended when the visit is
	offer   bool // a copy may be offered instead, should the target not stay up
	tracker *sessions.Tracker
	pulled  atomic.Value // string: the image that the kubelet pulls for the debugger
}

// run waits until one can attach, attaches as long as there is something to attach to, and ends the session.
func (v *visit) run(ctx context.Context, session *v1alpha1.DebugSession) error {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	v.tracker = v.conn.Track(following, session)
	session, err := v.await(ctx)
	if err != nil {
		return err
	}
	if !story.Over(session) {
		detached, err := v.attach(ctx, session)
		switch {
		case err != nil:
			return err
		case detached:
			v.tty.Progress.Say(v.stays(session))
			return nil
		}
	}
	return v.leave(ctx)
}

// await waits until the session's debugger runs, or never will.
func (v *visit) await(ctx context.Context) (*v1alpha1.DebugSession, error) {
	interrupts, stop := interruptions()
	defer stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	go v.followPull(following)
	for {
		news, changed := v.tracker.Latest()
		session := news.Session
		switch {
		case news.Gone:
			return nil, &exitError{story.ExitTerminated, fmt.Sprintf("error: session %s was deleted; kubectl dbg TARGET opens another", session.Name)}
		case story.Over(session) || news.Err == nil && story.Attachable(session): // what was known before an outage may be so no more
			v.tty.Progress.Clear()
			return session, nil
		}
		v.show(news)
		if err := v.offerCopy(ctx, session); err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-interrupts:
			if err := v.interrupted(ctx, session); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, v.abandon(ctx, session)
		}
	}
}

func (v *visit) show(news sessions.News) {
	if news.Err != nil {
		v.tty.Progress.Show("the API server is not responding, retrying: "+news.Err.Error(), "")
		return
	}
	pulled, _ := v.pulled.Load().(string)
	v.tty.Progress.Show(story.ProgressWith(news.Session, pulled, v.now()))
}

// followPull finds out what the kubelet pulls while the debugger starts, for somebody who may read events.
func (v *visit) followPull(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		news, _ := v.tracker.Latest()
		if news.Gone || news.Session.Status.Phase != v1alpha1.PhaseStarting || news.Session.Status.Debugger == nil {
			continue
		}
		image, err := v.conn.Pulled(ctx, news.Session)
		if apierrors.IsForbidden(err) {
			return
		}
		v.pulled.Store(image)
	}
}

// errCopyInstead is that a person wants to debug a copy rather than a target that does not stay up.
var errCopyInstead = errors.New("a copy instead")

// offerCopy asks, once, whether a copy is wanted instead of a target that crashes before anything can join it.
func (v *visit) offerCopy(ctx context.Context, session *v1alpha1.DebugSession) error {
	if !v.offer || !story.TargetCrashes(session) {
		return nil
	}
	v.offer = false
	if !v.tty.TypedInto() {
		v.tty.Progress.Say("the target does not stay up; kubectl dbg --copy debugs a copy of it")
		return nil
	}
	v.tty.Progress.Say(story.Message(session))
	answer, _ := v.tty.Ask(ctx, "The target does not stay up. Debug a copy instead? [Y/n]:", "yes", "no")
	if answer != "yes" {
		return ctx.Err() // with no answer, as with no, the session goes on waiting
	}
	if err := v.end(ctx, session); err != nil {
		return err
	}
	return errCopyInstead
}

// attach stays with the debugger until it or the person goes, over lost connections.
func (v *visit) attach(ctx context.Context, session *v1alpha1.DebugSession) (detached bool, err error) {
	v.greet(session)
	warning, stop := context.WithCancel(ctx)
	defer stop()
	go v.warn(warning)
	open := strings.NewReader("")
	if request.Gated(session) {
		open.Reset(request.OpenGate)
	}
	for tried := 0; ; tried++ {
		began := v.now()
		detached, err = v.stream(ctx, session, open)
		if detached || ctx.Err() != nil || v.overSoon(ctx, err) {
			return detached, nil
		}
		if v.now().Sub(began) > settled {
			tried = 1
		}
		if err := giveUp(session.Name, err, tried); err != nil {
			return false, err
		}
		v.tty.Progress.Say(lost(err))
		if session, err = v.await(ctx); err != nil || story.Over(session) {
			return false, err
		}
	}
}

const (
	// settled is how long an attach lasts that was no failure to begin with.
	settled = 5 * time.Second

	// mostTries is how often an attach fails that ends at once, each time a second after the last one.
	mostTries = 30

	// mostRefusals is how often an attach is refused, each time for some seconds.
	mostRefusals = 3
)

// giveUp returns an error if attaching once more would not help. An API server that has just come back may know of no right at first.
func giveUp(session string, err error, tried int) error {
	refused := apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
	if tried <= mostTries && (!refused || tried <= mostRefusals) {
		return nil
	}
	return fmt.Errorf("cannot attach to session %s: %w; kubectl dbg attach %s tries again", session, err, session)
}

func lost(err error) string {
	if err == nil {
		return "the connection was closed, but the session is still open: reattaching"
	}
	return fmt.Sprintf("the connection was lost (%v): reattaching", err)
}

// overSoon gives the operator a moment to say that the debugger has ended: its stream ends first.
func (v *visit) overSoon(ctx context.Context, streamed error) bool {
	grace := 3 * time.Second
	if streamed != nil {
		grace = time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	_, err := v.tracker.Until(ctx, func(news sessions.News) bool { return news.Gone || story.Over(news.Session) })
	return err == nil
}

func (v *visit) stream(ctx context.Context, session *v1alpha1.DebugSession, open io.Reader) (bool, error) {
	spec, at := &session.Spec.Debugger, session.Status.Debugger
	d := terminal.Debugger{
		Config: v.conn.config, Kubernetes: v.conn.Kubernetes,
		Namespace: session.Namespace, Pod: at.PodName, Name: at.ContainerName,
		Stdin: spec.Stdin, TTY: spec.TTY, Keys: spec.Stdin && (v.stdin || !request.Gated(session)),
		Replay: spec.TTY && story.Grants(session, v1alpha1.AccessLogs), DetachKeys: v.detachKeys, Before: open,
	}
	if !spec.Stdin && story.Grants(session, v1alpha1.AccessLogs) {
		return false, v.tty.Logs(ctx, d)
	}
	return v.tty.Attach(ctx, d)
}

// greet tells what one has come to, and until when.
func (v *visit) greet(session *v1alpha1.DebugSession) {
	if session.Spec.Debugger.TTY {
		v.tty.Progress.Say(story.Greeting(session, v.now(), v.keep))
	}
	if recorded := story.Recorded(session); recorded != "" {
		v.tty.Progress.Say(recorded)
	}
}
