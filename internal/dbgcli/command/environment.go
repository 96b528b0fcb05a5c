// Package command is the commands of kubectl dbg: what each asks for, and what it shows.
package command

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/sessions"
)

// environment is what every command has: where the cluster is, and where the person is.
type environment struct {
	genericiooptions.IOStreams
	config *genericclioptions.ConfigFlags
	now    func() time.Time
}

// connect reaches the cluster, in the namespace that was named or that the context has.
func (e *environment) connect() (*connection, error) {
	config, err := e.config.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	namespace, _, err := e.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	rehearsal := &rehearsal{warnings: rest.NewWarningWriter(e.ErrOut, rest.WarningWriterOptions{Deduplicate: true, Color: coloured(e.ErrOut)})}
	config.WarningHandler = rehearsal
	config.QPS, config.Burst = 50, 100
	client, err := sessions.New(config)
	if err != nil {
		return nil, err
	}
	return &connection{Client: client, config: config, namespace: namespace, rehearsal: rehearsal}, nil
}

type connection struct {
	*sessions.Client
	config    *rest.Config
	namespace string
	rehearsal *rehearsal
}

// rehearsal is what the operator says of a dry run, in a warning: it is what was asked for, and not shown as one. Other warnings are.
type rehearsal struct {
	warnings rest.WarningHandler

	mu   sync.Mutex
	said string
}

func (r *rehearsal) HandleWarningHeader(code int, agent, text string) {
	said, ofDryRun := strings.CutPrefix(text, v1alpha1.DryRunWarning)
	if !ofDryRun {
		r.warnings.HandleWarningHeader(code, agent, text)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = said
}

func (r *rehearsal) outcome() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

// kindOf finds a kind that kubectl's own short names do not name, as the API server knows it.
func (e *environment) kindOf(resource string) (schema.GroupVersionKind, error) {
	mapper, err := e.config.ToRESTMapper()
	if err != nil {
		return schema.GroupVersionKind{}, err
	}
	full, group := schema.ParseResourceArg(resource)
	if full == nil {
		full = &schema.GroupVersionResource{Group: group.Group, Resource: group.Resource}
	}
	kind, err := mapper.KindFor(*full)
	if err != nil {
		return schema.GroupVersionKind{}, fmt.Errorf("%q is not a kind that runs pods: %w; kubectl api-resources lists the kinds", resource, err)
	}
	return kind, nil
}
