package crdschema

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	openapierrors "k8s.io/kube-openapi/pkg/validation/errors"
)

// mostValues is how many values a spec may have to be looked at. The time that the validator takes grows with the square of the
// errors that it finds, and whoever creates an object chooses how many: at most some ten milliseconds for this.
const mostValues = 1000

// Blocking are all errors of an object if the API server would not look at the rules in CEL because of them, else none; sorted, which
// the API server's are not. It takes an object as admission does, with the defaults filled in; old is what it takes the place of, nil
// for a new one.
//
// An old object with such errors was stored when the schema was looser. Which of them are forgiven the API server knows.
func (s *Schema) Blocking(object, old map[string]any) field.ErrorList {
	if count(object["spec"], mostValues) > mostValues {
		return nil
	}
	all := s.validate(object)
	if !blocking(all) || old != nil && blocking(s.validate(old)) {
		return nil
	}
	all = append(all, s.validateMetadata(object)...)
	all = append(all, listtype.ValidateListSetsAndMaps(nil, s.structural, withoutStatus(object))...)
	slices.SortStableFunc(all, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	return all
}

// blocking reports whether the API server leaves out the rules in CEL.
func blocking(all field.ErrorList) bool {
	return slices.ContainsFunc(all, func(err *field.Error) bool {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		default:
			return false
		}
	})
}

func (s *Schema) validate(object map[string]any) field.ErrorList {
	var all field.ErrorList
	for _, found := range s.validator.Validate(withoutStatus(object)).Errors {
		var err *openapierrors.Validation
		if errors.As(found, &err) {
			all = append(all, fieldError(err))
		}
	}
	return all
}

// withoutStatus leaves out what the API server does not take from a write of the object itself.
func withoutStatus(object map[string]any) map[string]any {
	content := make(map[string]any, len(object))
	for key, value := range object {
		if key != "status" {
			content[key] = value
		}
	}
	return content
}

func (s *Schema) validateMetadata(object map[string]any) field.ErrorList {
	meta := &metav1.ObjectMeta{}
	content, _ := object["metadata"].(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, meta); err != nil {
		return nil // the API server has read it
	}
	if meta.Name == "" && meta.GenerateName != "" {
		meta.Name = meta.GenerateName + "x" // as the API server will
	}
	return validation.ValidateObjectMeta(meta, s.namespaced, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
}

// fieldError says in the API server's words what the validator found.
func fieldError(err *openapierrors.Validation) *field.Error {
	var path *field.Path
	if name := strings.TrimPrefix(err.Name, "."); name != "" {
		path = field.NewPath(name)
	}
	value := err.Value
	if value == nil {
		value = ""
	}
	switch err.Code() {
	case openapierrors.RequiredFailCode:
		return field.Required(path, "")
	case openapierrors.EnumFailCode:
		return field.NotSupported(path, err.Value, texts(err.Values))
	case openapierrors.TooLongFailCode:
		return field.TooLong(path, "", number(err.Valid))
	case openapierrors.MaxItemsFailCode, openapierrors.TooManyPropertiesCode:
		return field.TooMany(path, number(err.Value), number(err.Valid))
	case openapierrors.InvalidTypeCode:
		return field.TypeInvalid(path, value, err.Error())
	default:
		return field.Invalid(path, value, err.Error())
	}
}

// number is -1 for what is none, which the messages leave out.
func number(value any) int {
	if n, ok := value.(int64); ok {
		return int(n)
	}
	return -1
}

func texts(values []any) []string {
	all := make([]string, len(values))
	for i, value := range values {
		text, ok := value.(string)
		if !ok {
			content, _ := json.Marshal(value) // it was read from JSON
			text = string(content)
		}
		all[i] = text
	}
	return all
}

// count is how many values there are in one, itself included. It stops when there are more than most.
func count(value any, most int) int {
	n := 1
	switch value := value.(type) {
	case map[string]any:
		for _, v := range value {
			if n <= most {
				n += count(v, most-n)
			}
		}
	case []any:
		for _, v := range value {
			if n <= most {
				n += count(v, most-n)
			}
		}
	}
	return n
}
