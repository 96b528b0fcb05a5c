package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/test/ports"
)

// leaseName is the Lease that the operator's replicas contend for.
const leaseName = "debugsession-operator"

// startsWithin is how long the operator may take to be ready, and to lead, on a busy machine with many sessions.
const startsWithin = 2 * time.Minute

const (
	// memoryLimit is the container's, as it is installed.
	memoryLimit = 256 << 20

	// goMemoryLimit is GOMEMLIMIT's value with it.
	goMemoryLimit = 230 << 20
)

// benchIdentity is who has the Lease while the operator is to serve its webhooks and nothing else.
const benchIdentity = "bench"

// operator is the operator's binary as a process of its own.
type operator struct {
	cluster *cluster
	binary  string
	log     string
	health  string
	metrics string
	process *exec.Cmd
	exited  chan error

	limit  int64   // the memory that the process may take, in a cgroup of its own; 0: as it likes
	cgroup *cgroup // nil without a limit, or before it runs

	webhookPort int // 0 if the manifests have no webhooks
}

func newOperator(c *cluster, binary, out string) (*operator, error) {
	path, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("the operator's binary: %w; make build builds it", err)
	}
	o := &operator{cluster: c, binary: path, log: filepath.Join(out, "operator.log"), webhookPort: c.installed.webhookPort}
	for _, address := range []*string{&o.health, &o.metrics} {
		port, err := ports.Free()
		if err != nil {
			return nil, err
		}
		*address = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return o, nil
}

// newFollower is another replica. The API server's Service does not lead to it.
func newFollower(leader *operator, out string) (*operator, error) {
	o, err := newOperator(leader.cluster, leader.binary, out)
	if err != nil {
		return nil, err
	}
	o.log = filepath.Join(out, "follower.log")
	o.webhookPort, err = ports.Free()
	return o, err
}

// start runs the operator, with the arguments that it is installed with but for the addresses, until it says it is ready.
func (o *operator) start(ctx context.Context) error {
	log, err := os.OpenFile(o.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"--health-probe-bind-address=" + o.health, "--metrics-bind-address=" + o.metrics, "--metrics-secure=false", "--zap-log-level=info"}
	if port := o.webhookPort; port != 0 {
		args = append(args, "--leader-elect", "--namespace="+operatorNamespace, "--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", port))
	}
	o.process = exec.Command(o.binary, args...)
	goLimit := int64(goMemoryLimit)
	if o.limit > 0 {
		if o.cgroup, err = newCgroup(filepath.Base(o.log), o.limit); err != nil {
			return err
		}
		o.process = exec.Command("sh", append([]string{"-c", runInCgroup, "sh", o.cgroup.dir, o.binary, o.copied()}, args...)...)
		goLimit = o.limit * goMemoryLimit / memoryLimit
	}
	o.process.Env = append(os.Environ(), "KUBECONFIG="+o.cluster.operatorKubeconfig, "GOGC=50", fmt.Sprintf("GOMEMLIMIT=%d", goLimit)) // as deployed
	o.process.Stdout, o.process.Stderr = log, log
	if err := o.process.Start(); err != nil {
		return err
	}
	o.exited = make(chan error, 1)
	go func(process *exec.Cmd, exited chan<- error) { exited <- process.Wait() }(o.process, o.exited)
	return await(ctx, "the operator to be ready; its words are in "+o.log, startsWithin, func() (bool, error) {
		return true, o.ready(ctx)
	})
}

func (o *operator) ready(ctx context.Context) error {
	_, err := fetch(ctx, "http://"+o.health+"/readyz?verbose")
	return err
}

// copied is the file that runs in a cgroup.
func (o *operator) copied() string { return o.log + ".manager" }

// stop ends the process that start has started, and no other, and removes its cgroup.
func (o *operator) stop() (err error) {
	if o.cgroup != nil {
		defer func() {
			err = errors.Join(err, o.cgroup.remove(), os.Remove(o.copied()))
			o.cgroup = nil
		}()
	}
	if o.process == nil || o.process.Process == nil {
		return nil
	}
	defer func() { o.process = nil }()
	if err := o.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-o.exited:
		return err
	case <-time.After(15 * time.Second):
		return errors.Join(errors.New("the operator did not stop when asked to, and was killed"), o.process.Process.Kill(), <-o.exited)
	}
}

func (o *operator) lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: leaseName}}
}

// awaitLeading waits until the operator acts.
func (o *operator) awaitLeading(ctx context.Context) error {
	if o.cluster.installed.webhookPort == 0 {
		return nil // this one was started without a lease
	}
	lease := o.lease()
	return await(ctx, "the operator to lead", startsWithin, func() (bool, error) {
		err := o.cluster.client.Get(ctx, client.ObjectKeyFromObject(lease), lease)
		holder := ptr.Deref(lease.Spec.HolderIdentity, "")
		return holder != "" && holder != benchIdentity, err
	})
}

// restart starts the operator anew, and waits until it acts.
func (o *operator) restart(ctx context.Context) error {
	if err := o.stop(); err != nil {
		return err
	}
	if err := o.start(ctx); err != nil {
		return err
	}
	return o.awaitLeading(ctx)
}

// standBy starts the operator anew with the Lease in the bench's hands: it serves its webhooks, and acts on nothing.
func (o *operator) standBy(ctx context.Context) error {
	if err := o.stop(); err != nil {
		return err
	}
	if err := client.IgnoreNotFound(o.cluster.client.Delete(ctx, o.lease())); err != nil {
		return err
	}
	held, now := o.lease(), metav1.NowMicro()
	held.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: ptr.To(benchIdentity), LeaseDurationSeconds: ptr.To[int32](3600), AcquireTime: &now, RenewTime: &now,
	}
	if err := o.cluster.client.Create(ctx, held); err != nil {
		return err
	}
	return o.start(ctx)
}

// lead lets the operator act.
func (o *operator) lead(ctx context.Context) error {
	if err := client.IgnoreNotFound(o.cluster.client.Delete(ctx, o.lease())); err != nil {
		return err
	}
	return o.awaitLeading(ctx)
}

// peak is the most that the process has had of the machine's memory, in bytes.
func (o *operator) peak() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	kib, err := field(string(status), "VmHWM:")
	return int64(kib) << 10, err
}

// memory is what the process has of the machine's, and what its Go heap has in use, in bytes.
func (o *operator) memory(ctx context.Context) (rss, heap int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	kib, err := field(string(status), "VmRSS:")
	if err != nil {
		return 0, 0, err
	}
	metrics, err := fetch(ctx, "http://"+o.metrics+"/metrics")
	if err != nil {
		return 0, 0, err
	}
	inUse, err := field(metrics, "go_memstats_heap_inuse_bytes")
	return int64(kib) << 10, int64(inUse), err
}

// field is the number after a name at the beginning of a line.
func field(text, name string) (float64, error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == name {
			return strconv.ParseFloat(words[1], 64)
		}
	}
	return 0, fmt.Errorf("there is no %s", name)
}

func fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s says %s: %s", url, answer.Status, body)
	}
	return string(body), err
}
