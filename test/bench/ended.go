package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	endedNamespace = "ended"

	// takingIn is how long the leader may take to see all records.
	takingIn = 5 * time.Minute
)

// ended is what records of sessions that have ended cost the replicas.
type ended struct {
	Sessions int      `json:"sessions"`
	Leader   replicas `json:"leader"`
	Follower replicas `json:"follower"`
}

// replicas are two processes: one that has seen the records come, and one that has found them at its start.
type replicas struct {
	Empty     footprint `json:"empty"`
	Came      replica   `json:"as_they_came"`
	Restarted replica   `json:"restarted"`
}

type replica struct {
	footprint
	Peak       int64     `json:"peak_rss"`
	PerSession footprint `json:"per_session"`
	// Charged is what its cgroup was charged with, if it was run in one.
	Charged *charged `json:"charged,omitempty"`
}

// all are the processes that were measured with the records.
func (e *ended) all() []*replica {
	return []*replica{&e.Leader.Came, &e.Leader.Restarted, &e.Follower.Came, &e.Follower.Restarted}
}

// peak is the most that any of the processes had.
func (e *ended) peak() int64 {
	peak := int64(0)
	for _, r := range e.all() {
		peak = max(peak, r.Peak)
	}
	return peak
}

// measureEnded has a session run and end, writes its record many times, and measures a leader and a follower: as the records come, and after
// both were restarted.
func measureEnded(ctx context.Context, b *bench) (err error) {
	if b.operator.webhookPort == 0 {
		return fmt.Errorf("%s has no webhooks: without a lease there is no follower", b.flags.install)
	}
	record, err := endOne(ctx, b)
	if err != nil {
		return err
	}
	follower, err := newFollower(b.operator, b.flags.out)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := follower.stop(); err == nil {
			err = stopped
		}
	}()
	limit, err := b.flags.limitInBytes()
	if err != nil {
		return err
	}
	b.operator.limit, follower.limit = limit, limit
	defer func() { b.operator.limit = 0 }() // for what is started after this
	if err := restart(ctx, b.operator, follower); err != nil {
		return err
	}
	e := &ended{Sessions: b.flags.ended}
	both := []struct {
		*operator
		*replicas
	}{{b.operator, &e.Leader}, {follower, &e.Follower}}
	for _, one := range both {
		if one.Empty.RSS, one.Empty.Heap, err = one.memory(ctx); err != nil {
			return err
		}
	}
	if err := addRecords(ctx, b, record); err != nil {
		return err
	}
	for _, one := range both {
		if err := one.measure(ctx, one.operator, &one.Came, b.flags.ended); err != nil {
			return err
		}
	}
	b.say("restarting both replicas")
	if err := restart(ctx, b.operator, follower); err != nil {
		return err
	}
	if err := awaitRecords(ctx, b); err != nil {
		return err
	}
	for _, one := range both {
		if err := one.measure(ctx, one.operator, &one.Restarted, b.flags.ended); err != nil {
			return err
		}
	}
	b.result.Ended = e
	return nil
}

// addRecords writes the record many times, and waits until both replicas have seen that.
func addRecords(ctx context.Context, b *bench, record []byte) error {
	b.say(fmt.Sprintf("writing %d records", b.flags.ended))
	if err := writeRecords(ctx, b, record, b.flags.ended); err != nil {
		return err
	}
	return awaitRecords(ctx, b)
}

// measure fills in what a process has, and what of it each record makes.
func (r *replicas) measure(ctx context.Context, o *operator, is *replica, n int) (err error) {
	if is.RSS, is.Heap, err = o.memory(ctx); err != nil {
		return err
	}
	if is.Peak, err = o.peak(); err != nil {
		return err
	}
	if o.cgroup != nil {
		is.Charged, err = o.cgroup.charged()
	}
	is.PerSession = footprint{RSS: (is.RSS - r.Empty.RSS) / int64(n), Heap: (is.Heap - r.Empty.Heap) / int64(n)}
	return err
}

// restart starts a leader, and then another replica, and leaves them alone for a while.
func restart(ctx context.Context, leader, follower *operator) error {
	for _, o := range []*operator{follower, leader} {
		if err := o.stop(); err != nil {
			return err
		}
	}
	if err := leader.start(ctx); err != nil {
		return err
	}
	if err := leader.awaitLeading(ctx); err != nil {
		return err
	}
	if err := follower.start(ctx); err != nil {
		return err
	}
	return rest(ctx, settling)
}

// awaitRecords waits until the leader counts all records, and leaves the replicas alone for a while.
func awaitRecords(ctx context.Context, b *bench) error {
	series := fmt.Sprintf("debugsession_sessions{mode=%q,phase=%q}", v1alpha1.ModeEphemeralContainer, v1alpha1.PhaseEnded)
	if err := await(ctx, "the leader to count the records", takingIn, func() (bool, error) {
		if err := rest(ctx, time.Second); err != nil { // a scrape counts them all
			return false, err
		}
		text, err := fetch(ctx, "http://"+b.operator.metrics+"/metrics")
		if err != nil {
			return false, err
		}
		counted, err := field(text, series)
		return int(counted) >= b.flags.ended, err
	}); err != nil {
		return err
	}
	return rest(ctx, 2*settling)
}

// endOne has a session run and end, and returns its record as etcd has it.
func endOne(ctx context.Context, b *bench) ([]byte, error) {
	if err := makeNamespace(ctx, b.cluster.client, endedNamespace, nil); err != nil {
		return nil, err
	}
	if _, err := makePods(ctx, b.cluster.client, endedNamespace, 1); err != nil {
		return nil, err
	}
	if err := activate(ctx, b, endedNamespace, 1); err != nil {
		return nil, err
	}
	session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: endedNamespace, Name: sessionName(0)}}
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return nil, err
	}
	if err := requester.Patch(ctx, session, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"end":true}}`))); err != nil {
		return nil, err
	}
	if err := await(ctx, "the session to end", time.Minute, func() (bool, error) {
		err := b.cluster.client.Get(ctx, client.ObjectKeyFromObject(session), session)
		return meta.IsStatusConditionTrue(session.Status.Conditions, v1alpha1.ConditionEnded) && len(session.Finalizers) == 0, err
	}); err != nil {
		return nil, err
	}
	var found struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	if err := b.cluster.etcd(ctx, "range", map[string]any{"key": recordKey(session.Name)}, &found); err != nil {
		return nil, err
	}
	if len(found.KVs) != 1 {
		return nil, fmt.Errorf("etcd has %d records of the session", len(found.KVs))
	}
	return found.KVs[0].Value, nil
}

// writeRecords writes so many records to etcd itself, from where the API server tells of them as of any other: through it, it would take
// two writes for each, and most of the time that there is.
func writeRecords(ctx context.Context, b *bench, record []byte, n int) error {
	return inParallel(ctx, n, func(ctx context.Context, i int) error {
		name := fmt.Sprintf("record-%06d", i)
		value, err := renamed(record, name)
		if err != nil {
			return err
		}
		// One by one: two records of one transaction would have the same resourceVersion.
		return b.cluster.etcd(ctx, "put", map[string]any{"key": recordKey(name), "value": value}, &struct{}{})
	})
}

// renamed is the record of another session.
func renamed(record []byte, name string) ([]byte, error) {
	var object struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(record, &object); err != nil {
		return nil, err
	}
	text := strings.ReplaceAll(string(record), string(object.Metadata.UID), string(uuid.NewUUID()))
	return []byte(strings.ReplaceAll(text, object.Metadata.Name, name)), nil
}

func recordKey(session string) []byte {
	return fmt.Appendf(nil, "/registry/%s/debugsessions/%s/%s", v1alpha1.GroupVersion.Group, endedNamespace, session)
}

// etcd asks the API server's etcd, by its gateway for JSON.
func (c *cluster) etcd(ctx context.Context, what string, asked, answer any) error {
	body, err := json.Marshal(asked) // bytes in base64, as the gateway has them
	if err != nil {
		return err
	}
	url := c.environment.ControlPlane.Etcd.URL.JoinPath("v3/kv", what).String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd says %s to %s", got.Status, what)
	}
	return json.NewDecoder(got.Body).Decode(answer)
}
