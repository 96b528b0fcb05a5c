// Package untranslated keeps kubectl's libraries from reading their translations, which takes about as long as all else that a process does
// at its start. It comes before they ask for any: of the packages whose imports are initialized, Go takes the first by its path.
package untranslated

import "k8s.io/kubectl/pkg/util/i18n"

// Asked reports whether a library has asked here for its translations, and not read them itself.
var Asked bool

func init() {
	_ = i18n.SetLoadTranslationsFunc(func() error {
		Asked = true
		return nil
	})
}
