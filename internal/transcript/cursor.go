// Package transcript makes a transcript of what the kubelet gives as a container's log, with timestamps: an asciicast, or plain text. It
// is pure: package transcriber follows logs and stores what comes of it.
package transcript

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// Cursor is how far a log was read. A kubelet gives a log from a second on, and no line has a number: so it is the time of a line, and how
// much of that time was read.
type Cursor struct {
	// At is the time of the last line that was read, to the nanosecond.
	At time.Time
	// Lines is how many lines of that very time were read whole.
	Lines int
	// Within is how many bytes were read of the line after them, if it has that time.
	Within int64
}

// Part is what the name of an object tells that holds a part of a transcript: an operator that goes on with it needs no more.
type Part struct {
	// Number is counted from 1.
	Number int
	// Cursor is how far the log was read for it.
	Cursor Cursor
	// Cut is whether nothing comes after it, as the transcript is as long as it may be.
	Cut    bool
	Format v1alpha1.TranscriptFormat
}

// Extensions of parts.
const (
	castExtension = "cast"
	textExtension = "txt"
	cutMark       = "-cut"
)

// Name is the part's, in the order of the parts: 0001-1764336000123456789-1-0.cast.
func (p Part) Name() string {
	cut, extension := "", textExtension
	if p.Cut {
		cut = cutMark
	}
	if p.Format == v1alpha1.TranscriptCast {
		extension = castExtension
	}
	return fmt.Sprintf("%06d-%019d-%d-%d%s.%s", p.Number, p.Cursor.At.UnixNano(), p.Cursor.Lines, p.Cursor.Within, cut, extension)
}

// ParsePart reads the name of a part; ok is false if no part has such a name.
func ParsePart(name string) (part Part, ok bool) {
	base, extension, _ := strings.Cut(name, ".")
	base, part.Cut = strings.CutSuffix(base, cutMark)
	part.Format = v1alpha1.TranscriptText
	if extension == castExtension {
		part.Format = v1alpha1.TranscriptCast
	}
	fields := strings.Split(base, "-")
	if len(fields) != 4 {
		return part, false
	}
	var numbers [4]int64
	for i, field := range fields {
		number, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return part, false
		}
		numbers[i] = number
	}
	part.Number = int(numbers[0])
	part.Cursor = Cursor{At: time.Unix(0, numbers[1]).UTC(), Lines: int(numbers[2]), Within: numbers[3]}
	return part, part.Name() == name
}
