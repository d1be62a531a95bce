package stream

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"spate/stream/checkpoint"
	"spate/stream/deadletter"
)

// DeadLetters say how long a job keeps what it dropped.
type DeadLetters struct {
	Retain   time.Duration
	MaxBytes int64
	Guard    *sync.Mutex // of those who change the files besides the job; may be nil
}

// letters are lines of JSON on their way into a checkpoint.
type letters struct {
	lines []byte
	lost  int // that did not fit
}

// epochLetters bounds the letters of one epoch, which are held in memory.
const epochLetters = 16 << 20

func (l *letters) add(x *deadletter.Letter) {
	if len(l.lines)+len(x.Body)+len(x.Row) > epochLetters {
		l.lost++
		return
	}
	l.lines = x.AppendTo(l.lines)
}

// join takes the letters of a packet. Each is of one chunk at most, so that twice
// the bound is never reached.
func (l *letters) join(x letters) {
	l.lost += x.lost
	switch {
	case len(l.lines) == 0:
		l.lines = x.lines
	case len(l.lines)+len(x.lines) <= epochLetters:
		l.lines = append(l.lines, x.lines...)
	default:
		for _, c := range x.lines {
			if c == '\n' {
				l.lost++
			}
		}
	}
}

// lettersSection is the name of the letters in the state of an epoch: the Unix
// time in seconds, then the lines.
const lettersSection = "letters"

// stageLetters puts the letters of an epoch into its state.
func (t *tail) stageLetters(s checkpoint.Notes) {
	l := t.letters
	t.letters = letters{}
	if l.lost > 0 {
		t.job.opts.Log.Warn("more was dropped than the dead letters of a checkpoint hold", "job", t.job.opts.Name, "count", l.lost)
		l.lines = fmt.Appendf(l.lines, "{\"kind\":\"omitted\",\"count\":%d}\n", l.lost)
	}
	if len(l.lines) > 0 {
		at := t.job.opts.Clock.Now().Time().Unix()
		s[lettersSection] = append(binary.BigEndian.AppendUint64(nil, uint64(at)), l.lines...)
	}
}

// commitLetters makes the file of an epoch's letters, and now and then deletes
// what is too old.
func (j *Job) commitLetters(ctx context.Context, m *checkpoint.Manifest) error {
	if j.letters == nil {
		return nil
	}
	if b := m.Notes[lettersSection]; len(b) > 8 {
		at := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
		if err := j.letters.Write(ctx, m.Epoch, m.Incarnation, at, b[8:]); err != nil {
			return fmt.Errorf("committing epoch %d: %w", m.Epoch, err)
		}
	}
	now := j.opts.Clock.Now().Time()
	if now.Sub(j.swept) < time.Minute {
		return nil
	}
	j.swept = now
	return j.letters.Sweep(ctx, now)
}
