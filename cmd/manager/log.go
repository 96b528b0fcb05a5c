package main

import (
	"os"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"debugsession.dev/operator/internal/plaintext"
)

// newLogger logs a line of JSON to standard error for everything that it is told. There is no sampling: that a session
// moved is part of the record, also when hundreds move in one second. Errors come without a stack, which would be the work
// queue's.
func newLogger(level zapcore.Level) logr.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	core := zapcore.NewCore(graphicEncoder{zapcore.NewJSONEncoder(encoding)}, zapcore.Lock(os.Stderr), level)
	return zapr.NewLogger(zap.New(core))
}

// graphicEncoder escapes what a terminal would obey, or show in another order than it is. JSON escapes only the first control
// characters, and errors hold what kubelets, runtimes and others say.
type graphicEncoder struct{ zapcore.Encoder }

func (e graphicEncoder) Clone() zapcore.Encoder { return graphicEncoder{e.Encoder.Clone()} }

func (e graphicEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return line, err
	}
	escaped := plaintext.JSON(line.String())
	line.Reset()
	line.AppendString(escaped)
	return line, nil
}
