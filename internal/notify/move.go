package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
)

// maxAge is how old a move may become before it is of no use to tell it: a weekend, and a day.
const maxAge = 72 * time.Hour

// move is something that has happened to a session and that sinks are told of.
type move struct {
	notificationType v1alpha1.NotificationType
	// about tells two moves of a type apart. A move that has none happens once.
	about string
	at    time.Time
	// stands is set while it is still so: then it is never too old to be told.
	stands bool
}

// key is how it is written down that a move was told.
func (m move) key() string {
	if m.about == "" {
		return string(m.notificationType)
	}
	return string(m.notificationType) + "/" + m.about
}

// movesOf returns what has happened to a session until now, in order, and when what follows from time alone happens next. gone is a
// session that was deleted.
func movesOf(session *v1alpha1.DebugSession, gone bool, now time.Time) (moves []move, next time.Time) {
	if session.Spec.MemberOf != nil { // sinks are told of the session that it is a member of
		return nil, time.Time{}
	}
	status := &session.Status
	moves = append(askedAndApproved(session), emergency(status)...)
	if begun := begun(status.Members); begun != nil {
		moves = append(moves, *begun)
	}
	if debugger := status.Debugger; debugger != nil && debugger.StartedAt != nil && wasActive(status.Phase) {
		moves = append(moves, move{notificationType: v1alpha1.NotifyActive, at: debugger.StartedAt.Time})
	}
	if at, ok := lastOf(status.Approvals, v1alpha1.DecisionDeny); ok {
		moves = append(moves, move{notificationType: v1alpha1.NotifyDenied, at: at.Time})
	}
	if waitsForMore(session) {
		since := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionApproved).LastTransitionTime.Time
		moves = append(moves, move{notificationType: v1alpha1.NotifyAwaitingApproval, about: request(session), at: since, stands: true})
	}
	if !gone {
		var warning *move
		if warning, next = endWarning(status, now); warning != nil {
			moves = append(moves, *warning)
		}
	}
	switch {
	case status.Phase == v1alpha1.PhaseEnded && status.EndedAt != nil:
		moves = append(moves, move{notificationType: v1alpha1.NotifyEnded, at: status.EndedAt.Time})
	case gone:
		moves = append(moves, move{notificationType: v1alpha1.NotifyEnded, at: now})
	}
	return moves, next
}

// askedAndApproved are the moves of a session that needs approval before it starts. That it waited is left out if it waits again by
// now, for a longer ttl.
func askedAndApproved(session *v1alpha1.DebugSession) []move {
	status := &session.Status
	if status.Request == nil {
		return nil
	}
	var moves []move
	asked := move{notificationType: v1alpha1.NotifyAwaitingApproval, at: status.Request.Since.Time}
	waiting := status.Phase == v1alpha1.PhaseAwaitingApproval && !session.Spec.Emergency
	if waiting {
		asked.about, asked.stands = request(session), true
	}
	if !waitsForMore(session) && !session.Spec.Emergency { // it is told as an emergency; that it waited before was told then
		moves = append(moves, asked)
	}
	approved := (meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionApproved) || status.StartedAt != nil) && !status.AwaitsReview()
	if at, ok := lastOf(status.Approvals, v1alpha1.DecisionApprove); ok && approved && !waiting {
		moves = append(moves, move{notificationType: v1alpha1.NotifyApproved, about: strconv.FormatInt(at.Unix(), 10), at: at.Time})
	}
	return moves
}

// emergency are the moves of a session that started before its approval.
func emergency(status *v1alpha1.DebugSessionStatus) []move {
	review := status.Review
	if review == nil {
		return nil
	}
	moves := []move{{notificationType: v1alpha1.NotifyEmergency, at: review.Since.Time, stands: status.AwaitsReview()}}
	if status.ReviewOverdue() && review.NextReminder != nil {
		told := review.NextReminder.Add(-approval.ReviewReminder)
		moves = append(moves, move{notificationType: v1alpha1.NotifyReviewOverdue, about: strconv.FormatInt(told.Unix(), 10), at: told, stands: true})
	}
	return moves
}

// waits reports whether a session waits for approval, be it of a longer ttl.
func waits(session *v1alpha1.DebugSession) bool {
	return session.Status.Request != nil && session.Status.Phase == v1alpha1.PhaseAwaitingApproval || waitsForMore(session)
}

// waitsForMore reports whether a session runs, and waits for approval of a longer ttl.
func waitsForMore(session *v1alpha1.DebugSession) bool {
	condition := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionApproved)
	running := session.Status.Phase == v1alpha1.PhaseStarting || session.Status.Phase == v1alpha1.PhaseActive
	return running && session.Status.Request != nil && condition != nil && condition.Reason == v1alpha1.ReasonShorterTTL
}

// request stands for what approvers are asked: who has been told of another has to hear of this.
func request(session *v1alpha1.DebugSession) string {
	const enough = 12
	hash := strings.TrimPrefix(session.Status.Request.Hash, "sha256:")
	return fmt.Sprintf("%s-%s", hash[:min(len(hash), enough)], v1alpha1.FormatDuration(session.TTL()))
}

func lastOf(approvals []v1alpha1.ApprovalStatus, decision v1alpha1.Decision) (last metav1.Time, found bool) {
	for i := range approvals {
		if approvals[i].Decision == decision && (!found || last.Before(&approvals[i].At)) {
			last, found = approvals[i].At, true
		}
	}
	return last, found
}

func wasActive(phase v1alpha1.Phase) bool {
	return phase == v1alpha1.PhaseActive || phase == v1alpha1.PhaseEnding || phase == v1alpha1.PhaseEnded
}

// endWarning is the last of the warnings of its end that an active session has been due, and when the next is: those of its class.
func endWarning(status *v1alpha1.DebugSessionStatus, now time.Time) (last *move, next time.Time) {
	if status.Phase != v1alpha1.PhaseActive || status.ExpiresAt == nil || status.StartedAt == nil || !now.Before(status.ExpiresAt.Time) {
		return nil, next
	}
	due, next := status.EndWarnings(now)
	if due.After(status.StartedAt.Time) { // else the session is shorter than that
		about := fmt.Sprintf("%d-%s", status.ExpiresAt.Unix(), v1alpha1.FormatDuration(status.ExpiresAt.Sub(due)))
		last = &move{notificationType: v1alpha1.NotifyAboutToEnd, about: about, at: due, stands: true}
	}
	return last, next
}

// missed are the moves that a sink has yet to be told of, which it is since a time.
func missed(moves []move, sent []string, since, now time.Time) []move {
	var left []move
	for _, m := range moves {
		old := m.at.Before(since) || now.Sub(m.at) > maxAge
		if (!old || m.stands) && !told(sent, m) {
			left = append(left, m)
		}
	}
	return left
}

func told(sent []string, m move) bool {
	return slices.ContainsFunc(sent, func(key string) bool {
		return key == m.key() || m.about == "" && typeOf(key) == m.notificationType
	})
}

func typeOf(key string) v1alpha1.NotificationType {
	name, _, _ := strings.Cut(key, "/")
	return v1alpha1.NotificationType(name)
}

// recorded adds a move to those that were told, and takes the place of an earlier one of its type.
func recorded(sent []string, m move) []string {
	sent = slices.DeleteFunc(slices.Clone(sent), func(key string) bool { return typeOf(key) == m.notificationType })
	return append(sent, m.key())
}

// sentTo is what a session's status says that a sink was told.
func sentTo(session *v1alpha1.DebugSession, sink string) []string {
	for i := range session.Status.Notifications {
		if entry := &session.Status.Notifications[i]; entry.Sink == sink {
			return entry.Sent
		}
	}
	return nil
}

// begun is that debuggers of a session with members run: that the first does or, of one that has a member for each trigger, the latest; nil if
// none has begun to.
func begun(rows []v1alpha1.MemberStatus) *move {
	var told *move
	for i := range rows {
		row := &rows[i]
		if row.StartedAt == nil {
			continue
		}
		if row.Number > 0 && (told == nil || !row.StartedAt.Time.Before(told.at)) {
			told = &move{notificationType: v1alpha1.NotifyActive, about: strconv.Itoa(int(row.Number)), at: row.StartedAt.Time}
		}
		if row.Number == 0 && (told == nil || row.StartedAt.Time.Before(told.at)) {
			told = &move{notificationType: v1alpha1.NotifyActive, at: row.StartedAt.Time}
		}
	}
	return told
}
