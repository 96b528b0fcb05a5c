package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// difference is one field that is not the same. A side that does not have the field is nil.
type difference struct {
	Field         string
	Kubectl, Ours any
}

// String is the difference on one line.
func (d difference) String() string {
	return fmt.Sprintf("%s: kubectl %s, ours %s", d.Field, oneLine(d.Kubectl), oneLine(d.Ours))
}

func oneLine(value any) string {
	if value == nil {
		return "none"
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}

// compare returns the differences between two values decoded from JSON, each as deep as both sides have the field.
// Members of a list of objects that have names are compared by name, and their order by itself.
func compare(field string, kubectl, ours any) []difference {
	if reflect.DeepEqual(kubectl, ours) {
		return nil
	}
	switch theirs := kubectl.(type) {
	case map[string]any:
		if mine, ok := ours.(map[string]any); ok {
			return compareObjects(field, theirs, mine)
		}
	case []any:
		if mine, ok := ours.([]any); ok {
			return compareLists(field, theirs, mine)
		}
	}
	return []difference{{Field: field, Kubectl: kubectl, Ours: ours}}
}

func compareObjects(field string, kubectl, ours map[string]any) []difference {
	var differences []difference
	keys := maps.Clone(kubectl)
	maps.Copy(keys, ours)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := key
		if field != "" {
			at = field + "." + key
		}
		differences = append(differences, compare(at, kubectl[key], ours[key])...)
	}
	return differences
}

func compareLists(field string, kubectl, ours []any) []difference {
	theirs, theirNames := byName(kubectl)
	mine, myNames := byName(ours)
	if theirs == nil || mine == nil {
		return []difference{{Field: field, Kubectl: kubectl, Ours: ours}}
	}
	var differences []difference
	names := slices.Clone(theirNames)
	for _, name := range myNames {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		differences = append(differences, compare(fmt.Sprintf("%s[%s]", field, name), theirs[name], mine[name])...)
	}
	if inBoth := func(other map[string]any) func(string) bool {
		return func(name string) bool { return other[name] == nil }
	}; !slices.Equal(slices.DeleteFunc(theirNames, inBoth(mine)), slices.DeleteFunc(myNames, inBoth(theirs))) {
		differences = append(differences, difference{Field: field + " (order)", Kubectl: theirNames, Ours: myNames})
	}
	return differences
}

// byName returns the members of a list by their names, and the names in order, or nil if not all have one of their own.
func byName(list []any) (map[string]any, []string) {
	members := map[string]any{}
	var names []string
	for _, member := range list {
		object, ok := member.(map[string]any)
		if !ok {
			return nil, nil
		}
		name, ok := object["name"].(string)
		if !ok || members[name] != nil {
			return nil, nil
		}
		members[name] = object
		names = append(names, name)
	}
	return members, names
}
