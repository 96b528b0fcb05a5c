// Package manifest turns objects of our kinds into the fields that a person would have written.
package manifest

import (
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
)

// Fields are those of an object as JSON has them, with its durations as people write them: 1h, where Go writes 1h0m0s.
func Fields(object runtime.Object) (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	withDurations(reflect.ValueOf(object), fields)
	return fields, nil
}

// New are the fields of an object that is to be created: without what only a cluster writes.
func New(object runtime.Object) (map[string]any, error) {
	fields, err := Fields(object)
	if err != nil {
		return nil, err
	}
	delete(fields, "status")
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		delete(metadata, "creationTimestamp")
	}
	return fields, nil
}

// withDurations returns a value's fields with its durations written anew. It goes by the Go types: a label may say 60s as well.
func withDurations(value reflect.Value, fields any) any {
	if duration, ok := value.Interface().(metav1.Duration); ok {
		return v1alpha1.FormatDuration(duration.Duration)
	}
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			return withDurations(value.Elem(), fields)
		}
	case reflect.Slice:
		if list, ok := fields.([]any); ok {
			for i := range list {
				list[i] = withDurations(value.Index(i), list[i])
			}
		}
	case reflect.Struct:
		if byName, ok := fields.(map[string]any); ok {
			inStruct(value, byName)
		}
	default:
	}
	return fields
}

func inStruct(value reflect.Value, fields map[string]any) {
	for i := range value.NumField() {
		of := value.Type().Field(i)
		name, _, _ := strings.Cut(of.Tag.Get("json"), ",")
		if field, ok := fields[name]; ok && of.IsExported() {
			fields[name] = withDurations(value.Field(i), field)
		}
	}
}
