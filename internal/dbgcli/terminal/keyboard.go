package terminal

import (
	"context"
	"io"
	"sync"
)

// Keyboard is standard input, which several read from in turn: an attach that has ended takes no key from the next one.
type Keyboard struct {
	start  sync.Once
	source io.Reader
	chunks chan []byte
	mu     sync.Mutex
	rest   []byte
}

// NewKeyboard reads nothing yet.
func NewKeyboard(source io.Reader) *Keyboard {
	return &Keyboard{source: source, chunks: make(chan []byte)}
}

func (k *Keyboard) pump() {
	defer close(k.chunks)
	for {
		chunk := make([]byte, 32<<10)
		n, err := k.source.Read(chunk)
		if n > 0 {
			k.chunks <- chunk[:n]
		}
		if err != nil {
			return
		}
	}
}

// Reader reads until its context ends; what it has not read by then is left for the next. One is used at a time.
func (k *Keyboard) Reader(ctx context.Context) io.Reader {
	k.start.Do(func() { go k.pump() })
	return readerFunc(func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, io.EOF
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if len(k.rest) == 0 {
			select {
			case chunk, ok := <-k.chunks:
				if !ok {
					return 0, io.EOF
				}
				k.rest = chunk
			case <-ctx.Done():
				return 0, io.EOF
			}
		}
		n := copy(p, k.rest)
		k.rest = k.rest[n:]
		return n, nil
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
