package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"spate/blob"
	"spate/column"
	"spate/hub/eventlog"
	"spate/stream/deadletter"
)

// Letters chooses dead letters of a job.
type Letters struct {
	IDs    []string
	All    bool
	Before time.Time // those of events and rows of a time before; zero: none
	Again  bool      // of a replay: those that were replayed too
}

// ErrNoLetter: a job has no dead letter of that ID.
var ErrNoLetter = errors.New("there is no such dead letter")

// letter is what there is to know of a letter to choose it and to send its event again.
type letter struct {
	Kind      string `json:"kind"`
	Input     string `json:"input"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Enqueued  string `json:"enqueued"`
	Time      string `json:"time"`
	Replayed  string `json:"replayed"`

	id string
}

// choose lists the letters that are chosen, the oldest first.
func (c *Letters) choose(ctx context.Context, l *deadletter.Log) (out []letter, err error) {
	found := make(map[string]bool)
	err = l.Each(ctx, func(line []byte) error {
		var x letter
		if err := json.Unmarshal(line, &x); err != nil {
			return fmt.Errorf("reading the dead letter %s: %w", line, err)
		}
		x.id = deadletter.ID(line)
		found[x.id] = true
		at, timed := column.ParseTicks(x.Enqueued)
		if !timed {
			at, timed = column.ParseTicks(x.Time)
		}
		old := timed && !c.Before.IsZero() && at < column.TicksOf(c.Before)
		if c.All || old || slices.Contains(c.IDs, x.id) {
			out = append(out, x)
		}
		return nil
	})
	for _, id := range c.IDs {
		if err == nil && !found[id] {
			err = fmt.Errorf("dead letter %s: %w", id, ErrNoLetter)
		}
	}
	return out, err
}

// LettersOf are the dead letters that the job of that name has in a data folder.
func LettersOf(store blob.Store, name string) *deadletter.Log {
	return deadletter.NewLog(store, prefixOf(name)+"/dead-letter", 0, 0)
}

func prefixOf(name string) string { return "jobs/" + url.PathEscape(name) }

// Drop deletes the letters chosen and returns how many.
func (c *Letters) Drop(ctx context.Context, l *deadletter.Log) (n int, err error) {
	chosen, err := c.choose(ctx, l)
	if err == nil {
		n, err = change(ctx, l, chosen, func([]byte) []byte { return nil })
	}
	if err != nil {
		return n, fmt.Errorf("deleting dead letters: %w", err)
	}
	return n, nil
}

// change puts others in the place of letters.
func change(ctx context.Context, l *deadletter.Log, list []letter, to func(line []byte) []byte) (int, error) {
	ids := make(map[string]bool)
	for _, x := range list {
		ids[x.id] = true
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return l.Edit(ctx, func(line []byte) ([]byte, error) {
		if !ids[deadletter.ID(line)] {
			return line, nil
		}
		return to(line), nil
	})
}

func (r *Room) lettersOf(name string) (*job, *deadletter.Log, error) {
	j, err := r.find(name)
	if err != nil {
		return nil, nil, err
	}
	l := LettersOf(r.o.Store, j.name)
	l.Share(&j.letters)
	return j, l, nil
}

// DropLetters deletes dead letters of a job.
func (r *Room) DropLetters(ctx context.Context, name string, c Letters) (int, error) {
	_, l, err := r.lettersOf(name)
	if err != nil {
		return 0, err
	}
	return c.Drop(ctx, l)
}

// Replay is what became of letters that were to be replayed.
type Replay struct {
	Letters int      `json:"letters"` // that are marked now
	Events  int      `json:"events"`  // that were sent
	Refused []string `json:"refused,omitempty"`
}

// ReplayLetters sends the events of dead letters again, to the partitions of the hub that
// they came from, and marks the letters. An event of several letters is sent once. The
// events are durable before a letter is marked: after a crash between, one may come twice.
func (r *Room) ReplayLetters(ctx context.Context, name string, c Letters) (*Replay, error) {
	j, l, err := r.lettersOf(name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) error { return fmt.Errorf("replaying dead letters of job %s: %w", j.name, err) }
	chosen, err := c.choose(ctx, l)
	if err != nil {
		return nil, fail(err)
	}
	type origin struct {
		input     string
		partition int
		offset    int64
	}
	out := new(Replay)
	sent := make(map[origin]error)
	var done []letter
	for i := range chosen {
		x := &chosen[i]
		if x.Replayed != "" && !c.Again {
			out.Refused = append(out.Refused, fmt.Sprintf("%s: it was replayed at %s: say again to do it once more", x.id, x.Replayed))
			continue
		}
		at := origin{x.Input, x.Partition, x.Offset}
		why, known := sent[at]
		if !known || x.Input == "" {
			why = r.sendAgain(ctx, j.made(), x)
			if sent[at] = why; why == nil {
				out.Events++
			}
		}
		if why != nil {
			out.Refused = append(out.Refused, fmt.Sprintf("%s: %v", x.id, why))
			continue
		}
		done = append(done, *x)
	}
	out.Letters = len(done)
	if _, err := change(context.WithoutCancel(ctx), l, done, func(line []byte) []byte { return deadletter.Replayed(line, r.o.Clock()) }); err != nil {
		return out, fail(fmt.Errorf("%d events were sent, and their letters are not marked: %w", out.Events, err))
	}
	return out, nil
}

// sendAgain sends the event of a letter.
func (r *Room) sendAgain(ctx context.Context, s *spec, x *letter) error {
	const advice = "send what is right yourself, then drop the letter"
	if x.Input == "" {
		return fmt.Errorf("a letter of the kind %s does not say which event it came from, as rows of windows come from many: %s", x.Kind, advice)
	}
	name := x.Input
	if s.capture == nil {
		name = s.job.Input(x.Input).Hub
	}
	h, ok := r.o.Hubs.Hub(name)
	switch {
	case !ok:
		return fmt.Errorf("input %s is hub %s, which does not exist: %s", x.Input, name, advice)
	case x.Partition >= h.Partitions():
		return fmt.Errorf("hub %s has the partitions 0 to %d, and the event is of partition %d: %s", h.Name(), h.Partitions()-1, x.Partition, advice)
	}
	p := h.Partition(x.Partition)
	b := p.Bounds()
	if x.Offset < b.First || x.Offset >= b.Next {
		return fmt.Errorf("partition %d of hub %s does not hold offset %d any more, its retention has removed it; the letter shows its body, not its properties: %s", x.Partition, h.Name(), x.Offset, advice)
	}
	var c eventlog.Chunk
	if err := p.Read(ctx, x.Offset, 1, &c, nil); err != nil {
		return fmt.Errorf("reading offset %d of partition %d of hub %s: %w", x.Offset, x.Partition, h.Name(), err)
	}
	for k := range c.Batches {
		it := c.Records(k)
		for it.Next() {
			if it.Record.Offset != x.Offset {
				continue
			}
			if err := eventlog.Again(p, &c.Batches[k], &it.Record).Wait(ctx); err != nil {
				return fmt.Errorf("sending it to partition %d of hub %s: %w", x.Partition, h.Name(), err)
			}
			return nil
		}
		if err := it.Err(); err != nil {
			return fmt.Errorf("reading offset %d of partition %d of hub %s: %w", x.Offset, x.Partition, h.Name(), err)
		}
	}
	return fmt.Errorf("partition %d of hub %s has nothing at offset %d: %s", x.Partition, h.Name(), x.Offset, advice)
}
