package helmhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// What the chart has applied has this label: when the values do not have it any more, it is deleted.
const (
	managedBy = "app.kubernetes.io/managed-by"
	chart     = "debugsession-chart"
)

const fieldOwner = client.FieldOwner(chart)

// kinds are those that are applied.
var kinds = []string{"DebugClass", "DebugSink"}

// apply has the cluster hold the classes and sinks that a file has. A chart cannot simply contain them: Helm looks their kinds up before it
// has created the CRDs, and no class is let in before the operator answers.
func (h *hook) apply(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	wanted, err := read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	// All at once or nothing: a wrong class must not leave half of what was wanted.
	if err := h.applyAll(ctx, wanted, "would be applied", client.DryRunAll); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if err := h.applyAll(ctx, wanted, "is applied"); err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := h.prune(ctx, kind, wanted); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// read returns the objects of a file, and fails of what is not for this hook to apply.
func read(text []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		switch {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(object.Object) == 0:
			continue
		case object.GetAPIVersion() != v1alpha1.GroupVersion.String() || !slices.Contains(kinds, object.GetKind()):
			return nil, fmt.Errorf("%s %q is neither a DebugClass nor a DebugSink", object.GetKind(), object.GetName())
		}
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[managedBy] = chart
		object.SetLabels(labels)
		objects = append(objects, object)
	}
}

// applyAll takes over what others have set: the values of the chart say what there is.
func (h *hook) applyAll(ctx context.Context, objects []*unstructured.Unstructured, done string, options ...client.ApplyOption) error {
	options = append(options, fieldOwner, client.ForceOwnership)
	var errs []error
	for _, object := range objects {
		what := object.GetKind() + " " + object.GetName()
		err := h.until(ctx, what, func(ctx context.Context) error {
			return h.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), options...)
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
			continue
		}
		_, _ = fmt.Fprintln(h.out, what, done)
	}
	return errors.Join(errs...)
}

// prune deletes what was applied by an earlier release and is not wanted any more.
func (h *hook) prune(ctx context.Context, kind string, wanted []*unstructured.Unstructured) error {
	have := &unstructured.UnstructuredList{}
	have.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
	err := h.until(ctx, kind, func(ctx context.Context) error {
		return h.client.List(ctx, have, client.MatchingLabels{managedBy: chart})
	})
	if err != nil {
		return err
	}
	for i := range have.Items {
		object := &have.Items[i]
		if slices.ContainsFunc(wanted, func(w *unstructured.Unstructured) bool {
			return w.GetKind() == kind && w.GetName() == object.GetName()
		}) {
			continue
		}
		uid := object.GetUID()
		err := h.client.Delete(ctx, object, client.Preconditions{UID: &uid})
		if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return err
		}
		_, _ = fmt.Fprintf(h.out, "%s %s is deleted: it is no longer in the values\n", kind, object.GetName())
	}
	return nil
}
