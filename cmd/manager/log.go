package main

import (
	"os"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLogger logs a line of JSON to standard error for everything that it is told. There is no sampling: that a session
// moved is part of the record, also when hundreds move in one second. Errors come without a stack, which would be the work
// queue's.
func newLogger(level zapcore.Level) logr.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.Lock(os.Stderr), level)
	return zapr.NewLogger(zap.New(core))
}
