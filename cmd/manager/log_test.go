package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// A line of the log is one line of JSON that says what was said, and moves no terminal.
func TestLogLinesAreHarmless(t *testing.T) {
	const said = "a\x1b[31m\u009b2J\u202eb\x7f\n\U000e0041 é禁"
	encoder := graphicEncoder{zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())}.Clone()
	line, err := encoder.EncodeEntry(zapcore.Entry{Message: "failed"}, []zapcore.Field{zap.String("error", said)})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(line.String(), "\n")
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		t.Errorf("the line is %q", text)
	}
	var read struct{ Error string }
	if err := json.Unmarshal([]byte(text), &read); err != nil || read.Error != said {
		t.Errorf("read back: %q, %v", read.Error, err)
	}
}
