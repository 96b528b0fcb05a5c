package debugpod

import "reflect"

// scribble overwrites everything that can be reached from an object by pointer, slice or map. If that changes another
// object, the two share memory.
func scribble(object any) {
	scribbleValue(reflect.ValueOf(object).Elem())
}

func scribbleValue(value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			scribbleValue(value.Elem())
		}
	case reflect.Slice:
		for i := range value.Len() {
			scribbleValue(value.Index(i))
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			value.SetMapIndex(key, reflect.Value{})
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				scribbleValue(value.Field(i))
			}
		}
	default:
		value.SetZero()
	}
}
