package command

import (
	"testing"

	"debugsession.dev/operator/internal/dbgcli/untranslated"
)

func TestTranslationsAreNotRead(t *testing.T) {
	if !untranslated.Asked {
		t.Error("kubectl's libraries have read their translations, which each start of kubectl dbg pays for: " +
			"untranslated was initialized too late")
	}
}
