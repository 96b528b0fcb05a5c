package faults

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// scenario is a whole session, and how it comes to its end.
type scenario struct {
	name     string
	mode     v1alpha1.Mode
	class    string
	outcome  v1alpha1.Outcome
	end      func(ctx context.Context, r *run) error
	after    func(ctx context.Context, r *run) error // what is done once it has ended; may be nil
	isolated bool                                    // the copy is cut off
	oneShot  bool                                    // the debugger has no terminal
	hangs    bool                                    // nobody gets its log
	early    bool                                    // its end begins as soon as it starts
	armed    bool                                    // it waits for its target to crash
	all      bool                                    // it has members: one, of its target
	times    bool                                    // it is armed for two crashes, and has members: one, of the first
	template bool                                    // the copy is of a workload without pods, with its environment and a Secret to pull with
}

// beginning is the same for sessions that are alike until their ends begin: in all but what is of the end alone.
func (s *scenario) beginning() string {
	alike := *s
	alike.name, alike.outcome, alike.end, alike.after, alike.early = "", "", nil, nil, false
	return fmt.Sprintf("%+v", alike)
}

// recorded reports whether the session's class requires an audit record.
func (s *scenario) recorded() bool {
	return s.class == classRecorded || s.class == classEmergency || s.class == classTranscribed || s.class == classKeeping
}

// waits reports whether the session waits for its target to crash.
func (s *scenario) waits() bool { return s.armed || s.times }

// hasMembers reports whether it is a member that is debugged.
func (s *scenario) hasMembers() bool { return s.all || s.times }

// approved reports whether the session waits for an approval.
func (s *scenario) approved() bool { return s.class == classApproved || s.class == classNetworks }

const (
	classOpen     = "open"     // nobody's approval, no access
	classApproved = "approved" // one approval; gives access
	classRecorded = "recorded" // requires an audit record

	classEmergency = "emergency" // one approval, which may follow; requires an audit record

	classTranscribed = "transcribed" // requires an audit record and a transcript

	classKeeping = "keeping" // requires an audit record, and keeps files

	classNodes    = "nodes-"    // and the namespace's name: the class by which nodes are debugged there
	classNetworks = "networks-" // likewise, pods' networks; one approval
)

// The files that a session is asked to keep: the one that its command leaves, and one that it does not.
const (
	keptFile, noFile = "/tmp/dump", "/tmp/none"
	keptText         = "what the command has left"
)

func scenarios() []scenario {
	var all []scenario
	for name, mode := range map[string]v1alpha1.Mode{"ephemeral": v1alpha1.ModeEphemeralContainer, "copy": v1alpha1.ModePodCopy} {
		all = append(all,
			scenario{name: name + "-expiry", mode: mode, class: classOpen, outcome: v1alpha1.OutcomeExpired, end: expire},
			scenario{name: name + "-end", mode: mode, class: classOpen, outcome: v1alpha1.OutcomeTerminated, end: setEnd},
			scenario{name: name + "-early", mode: mode, class: classOpen, outcome: v1alpha1.OutcomeTerminated, end: setEnd, early: true},
			scenario{name: name + "-delete", mode: mode, class: classOpen, outcome: v1alpha1.OutcomeTerminated, end: remove},
			scenario{name: name + "-exit", mode: mode, class: classOpen, outcome: v1alpha1.OutcomeCompleted, end: debuggerExits},
			scenario{name: name + "-revoke", mode: mode, class: classApproved, outcome: v1alpha1.OutcomeRevoked, end: revoke},
		)
	}
	return append(all,
		scenario{
			name:    "ephemeral-extend",
			mode:    v1alpha1.ModeEphemeralContainer,
			class:   classOpen,
			outcome: v1alpha1.OutcomeExpired,
			end:     extend,
		},
		scenario{
			name:    "recorded-delete",
			mode:    v1alpha1.ModeEphemeralContainer,
			class:   classRecorded,
			outcome: v1alpha1.OutcomeTerminated,
			end:     remove,
		},
		scenario{name: "recorded-exit", mode: v1alpha1.ModePodCopy, class: classRecorded, outcome: v1alpha1.OutcomeCompleted,
			end: debuggerExits},
		scenario{name: "emergency-exit", mode: v1alpha1.ModeEphemeralContainer, class: classEmergency, outcome: v1alpha1.OutcomeCompleted,
			end: acknowledgeAndExit},
		scenario{name: "emergency-denied", mode: v1alpha1.ModePodCopy, class: classEmergency, outcome: v1alpha1.OutcomeRevoked,
			end: denyReview},
		scenario{name: "emergency-late", mode: v1alpha1.ModeEphemeralContainer, class: classEmergency, outcome: v1alpha1.OutcomeCompleted,
			end: debuggerExits, after: acknowledgeLate},
		scenario{
			name:    "transcript-end",
			mode:    v1alpha1.ModeEphemeralContainer,
			class:   classTranscribed,
			outcome: v1alpha1.OutcomeTerminated,
			end:     setEnd,
		},
		scenario{name: "transcript-oneshot", mode: v1alpha1.ModeEphemeralContainer, class: classTranscribed,
			outcome: v1alpha1.OutcomeCompleted, end: debuggerExits, oneShot: true},
		scenario{
			name:    "transcript-copy-end",
			mode:    v1alpha1.ModePodCopy,
			class:   classTranscribed,
			outcome: v1alpha1.OutcomeTerminated,
			end:     setEnd,
		},
		scenario{name: "transcript-copy-exit", mode: v1alpha1.ModePodCopy, class: classTranscribed, outcome: v1alpha1.OutcomeCompleted,
			end: debuggerExits},
		scenario{
			name:    "transcript-copy-expiry",
			mode:    v1alpha1.ModePodCopy,
			class:   classTranscribed,
			outcome: v1alpha1.OutcomeExpired,
			end:     expire,
		},
		scenario{name: "transcript-copy-unread", mode: v1alpha1.ModePodCopy, class: classTranscribed, outcome: v1alpha1.OutcomeCompleted,
			end: debuggerExits, hangs: true},
		scenario{name: "isolated-expiry", mode: v1alpha1.ModePodCopy, class: classOpen, outcome: v1alpha1.OutcomeExpired, end: expire,
			isolated: true},
		scenario{name: "template-end", mode: v1alpha1.ModePodCopy, class: classOpen, outcome: v1alpha1.OutcomeTerminated, end: setEnd,
			template: true},
		scenario{name: "armed-end", mode: v1alpha1.ModeEphemeralContainer, class: classApproved, outcome: v1alpha1.OutcomeTerminated, end: setEnd,
			armed: true},
		scenario{name: "all-end", mode: v1alpha1.ModeEphemeralContainer, class: classApproved, outcome: v1alpha1.OutcomeTerminated, end: setEnd,
			all: true},
		scenario{name: "all-exit", mode: v1alpha1.ModePodCopy, class: classOpen, outcome: v1alpha1.OutcomeCompleted, end: debuggerExits,
			all: true},
		scenario{name: "times-end", mode: v1alpha1.ModeEphemeralContainer, class: classApproved, outcome: v1alpha1.OutcomeTerminated, end: setEnd,
			times: true},
		scenario{name: "node-end", mode: v1alpha1.ModeNode, class: classNodes, outcome: v1alpha1.OutcomeTerminated, end: setEnd},
		scenario{name: "network-end", mode: v1alpha1.ModeNode, class: classNetworks, outcome: v1alpha1.OutcomeTerminated, end: setEnd},
		scenario{name: "artifacts-exit", mode: v1alpha1.ModeEphemeralContainer, class: classKeeping, outcome: v1alpha1.OutcomeCompleted,
			end: commandEnds, oneShot: true},
		scenario{name: "artifacts-copy", mode: v1alpha1.ModePodCopy, class: classKeeping, outcome: v1alpha1.OutcomeCompleted,
			end: commandEnds, oneShot: true},
	)
}

// expire lets more time pass than the debugger has, whose watchdog was lost.
func expire(ctx context.Context, r *run) error {
	r.clock.Step(2 * time.Hour)
	return r.poke(ctx)
}

func setEnd(ctx context.Context, r *run) error {
	return k8s.Patch(ctx, r.session(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"end":true}}`)))
}

func remove(ctx context.Context, r *run) error { return k8s.Delete(ctx, r.session()) }

func revoke(ctx context.Context, r *run) error {
	return k8s.Delete(ctx, &v1alpha1.DebugApproval{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name}})
}

// extend lengthens the session, and once it says so has its debugger end when it was told to.
func extend(ctx context.Context, r *run) error {
	if err := k8s.Patch(ctx, r.session(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"ttl":"90m"}}`))); err != nil {
		return err
	}
	session, err := r.until(ctx, "to be extended", func(s *v1alpha1.DebugSession) (bool, error) {
		return s != nil && s.Status.ExpiresAt.Sub(s.Status.StartedAt.Time) == 90*time.Minute, nil
	})
	if err != nil {
		return err
	}
	return players.Reach(ctx, types.NamespacedName{Namespace: r.namespace, Name: r.target}, session.Status.Debugger.ContainerName)
}

func debuggerExits(ctx context.Context, r *run) error {
	session := r.session()
	if r.scenario.hasMembers() {
		session = r.member()
	}
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(session), session); err != nil {
		return err
	}
	pod := r.target
	if session.Spec.Mode != v1alpha1.ModeEphemeralContainer {
		pod = session.Status.Debugger.PodName
	}
	exited := fixture.Exited(time.Now(), 3, "Error", "")
	return players.Exit(ctx, types.NamespacedName{Namespace: r.namespace, Name: pod}, session.Status.Debugger.ContainerName, exited)
}

// commandEnds has the debugger's command end, whose container is then held for its files.
func commandEnds(_ context.Context, r *run) error {
	close(r.command)
	return nil
}

// acknowledgeAndExit has an emergency reviewed while it runs, and its debugger end then.
func acknowledgeAndExit(ctx context.Context, r *run) error {
	if err := r.decide(ctx, v1alpha1.DecisionApprove); err != nil {
		return err
	}
	if _, err := r.until(ctx, "to be reviewed", reviewed); err != nil {
		return err
	}
	return debuggerExits(ctx, r)
}

func denyReview(ctx context.Context, r *run) error { return r.decide(ctx, v1alpha1.DecisionDeny) }

// acknowledgeLate has an emergency reviewed after its end, and waits until the store has that.
func acknowledgeLate(ctx context.Context, r *run) error {
	if err := r.decide(ctx, v1alpha1.DecisionApprove); err != nil {
		return err
	}
	_, err := r.until(ctx, "to be reviewed, and its review stored", func(s *v1alpha1.DebugSession) (bool, error) {
		ok, err := reviewed(s)
		return ok && s.Status.Audit != nil && s.Status.Audit.ReviewKey != "", err
	})
	return err
}

func reviewed(s *v1alpha1.DebugSession) (bool, error) {
	return s != nil && s.Status.Review != nil && s.Status.Review.Decision == v1alpha1.DecisionApprove, nil
}

// ask has somebody create the session.
func (r *run) ask(ctx context.Context) error {
	session := fixture.Session(fixture.Unsent(r.namespace, r.name), fixture.Of(r.target), fixture.TTL(time.Hour))
	session.Spec.ClassName = r.scenario.class
	switch r.scenario.mode {
	case v1alpha1.ModePodCopy:
		fixture.AsCopy(func(c *v1alpha1.PodCopy) { c.Isolate = r.scenario.isolated })(session)
	case v1alpha1.ModeNode:
		session.Spec.Mode, session.Spec.Target = v1alpha1.ModeNode, v1alpha1.Target{NodeName: nodeName}
		session.Spec.ClassName += r.namespace
	}
	switch r.scenario.class {
	case classNetworks:
		session.Spec.Profile, session.Spec.Target = v1alpha1.ProfileBaseline, v1alpha1.Target{PodName: r.target, PodNamespace: r.namespace}
	case classKeeping:
		session.Spec.Debugger.Command, session.Spec.Debugger.Artifacts = []string{"tcpdump"}, []string{keptFile, noFile}
	}
	if r.scenario.waits() {
		session.Spec.Target = v1alpha1.Target{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, When: &v1alpha1.When{Crashed: true},
		}
		fixture.NotAfter(r.clock.Now().Add(24 * time.Hour))(session)
	}
	if r.scenario.times {
		fixture.Times(2)(session)
	}
	if r.scenario.all {
		fixture.OfSelector(map[string]string{"app": "web"})(session)
		fixture.All(2)(session)
	}
	if r.scenario.template {
		session.Spec.Target = v1alpha1.Target{Workload: &v1alpha1.Workload{Kind: "Deployment", Name: r.name}}
		session.Spec.Debugger.EnvFromTarget, session.Spec.ImagePullSecrets = true, []v1alpha1.ImagePullSecret{{Name: "tools"}}
	}
	session.Spec.Debugger.Stdin, session.Spec.Debugger.TTY = !r.scenario.oneShot, !r.scenario.oneShot
	session.Spec.Requester = nil
	session.Spec.Reason = "faults"
	session.Spec.Emergency = r.scenario.class == classEmergency
	return alice.Create(ctx, session)
}

// crash has the target's container be restarted, after the session was armed.
func (r *run) crash(ctx context.Context, armed *v1alpha1.ArmedStatus) error {
	_, err := players.Change(ctx, types.NamespacedName{Namespace: r.namespace, Name: r.target}, func(pod *corev1.Pod) {
		for i := range pod.Status.ContainerStatuses {
			status := &pod.Status.ContainerStatuses[i]
			status.RestartCount, status.LastTerminationState = 1, fixture.Exited(armed.Since.Add(2*time.Second), 137, "OOMKilled", "")
		}
	})
	return err
}

// decide creates an approval or a denial of what the session asks for.
func (r *run) decide(ctx context.Context, decision v1alpha1.Decision) error {
	return bob.Create(ctx, &v1alpha1.DebugApproval{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name},
		Spec:       v1alpha1.DebugApprovalSpec{SessionName: r.name, Decision: decision},
	})
}

// poke has the session looked at, as the operator's own timers would if the clock that was stepped were theirs.
func (r *run) poke(ctx context.Context) error {
	r.pokes++
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"poked":"%d"}}}`, r.pokes)
	return client.IgnoreNotFound(k8s.Patch(ctx, r.session(), client.RawPatch(types.MergePatchType, []byte(patch))))
}

func (r *run) session() *v1alpha1.DebugSession {
	return &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name}}
}
