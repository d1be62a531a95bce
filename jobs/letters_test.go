package jobs

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/blob"
	"spate/hub"
	"spate/hub/eventlog"
	"spate/pipeline"
	"spate/stream/deadletter"
)

func (p *testRoom) lines(job string) (out []string) {
	p.t.Helper()
	err := LettersOf(blob.NewLocal(p.dir), job).Each(p.t.Context(), func(line []byte) error {
		out = append(out, string(line))
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// Events of dead letters are sent again as they were, once, and others are refused by name.
func TestDeadLettersAreReplayedAndDropped(t *testing.T) {
	p := run(t, pipeline.Options{
		Hubs: []pipeline.Hub{{Name: "in", Partitions: 2}}, Tables: []pipeline.Table{{Name: "o"}, {Name: "w"}},
		Jobs: []pipeline.Job{{Name: "J", Policies: pipeline.Policies{RuntimeError: pipeline.SkipRow}, Inputs: []pipeline.Input{{Alias: "i", Hub: "in"}},
			Script:  "SELECT 12 / CAST(n AS bigint) AS q INTO o FROM i;\nSELECT 1 / (COUNT(*) - COUNT(*)) AS q INTO w FROM i GROUP BY TumblingWindow(millisecond, 1)",
			Outputs: []pipeline.Output{{Alias: "o", Table: "o"}, {Alias: "w", Table: "w"}}}},
	})
	h, _ := p.o.Hubs.Hub("in")
	send := func(e hub.Event) {
		t.Helper()
		if err := h.Partition(1).Append(eventlog.AMQP, []hub.Event{e}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	send(hub.Event{Body: []byte(`{"n":1}`)})
	send(hub.Event{Key: []byte("k"), AMQP: []byte{0, 0x53, 0x73, 0x45}, Body: []byte(`{"n":0}`)})
	send(hub.Event{Body: []byte(`no JSON`)})
	send(hub.Event{Body: []byte(`{"n":2}`)})
	byKind := func() (row, event, window []string) {
		for _, line := range p.lines("J") {
			switch id := deadletter.ID([]byte(line)); {
			case strings.Contains(line, `"output":"w"`):
				window = append(window, id)
			case strings.Contains(line, `"output":"o"`):
				row = append(row, id)
			default:
				event = append(event, id)
			}
		}
		return row, event, window
	}
	until(t, "the letters", func() bool {
		row, event, window := byKind()
		return len(row) == 1 && len(event) == 1 && len(window) > 0
	})
	row, event, window := byKind()

	got, err := p.ReplayLetters(t.Context(), "j", Letters{IDs: []string{row[0], event[0], window[0]}})
	if err != nil || got.Letters != 2 || got.Events != 2 || len(got.Refused) != 1 || !strings.Contains(got.Refused[0], window[0]+": a letter of the kind runtime does not say which event it came from") {
		t.Fatalf("%+v, %v", got, err)
	}
	again := p.eventsOf("in")[1][4:] // in the order of the letters, which may be of several epochs
	at := int64(4 + slices.Index(again, `{"n":0}`))
	if sent := slices.Sorted(slices.Values(again)); !slices.Equal(sent, []string{`no JSON`, `{"n":0}`}) {
		t.Fatalf("sent again: %q", again)
	}
	var c hub.Chunk
	if err := h.Partition(1).Read(t.Context(), at, 1, &c, nil); err != nil {
		t.Fatal(err)
	}
	it := c.Records(0)
	if !it.Next() || string(it.Record.Key) != "k" || string(it.Record.AMQP()) != "\x00\x53\x73\x45" || c.Batches[0].Origin != eventlog.AMQP {
		t.Errorf("key %q, sections %x, origin %d", it.Record.Key, it.Record.AMQP(), c.Batches[0].Origin)
	}
	// They fail again, as new events.
	until(t, "the letters of what was sent again", func() bool {
		row, event, _ := byKind()
		return len(row) == 2 && len(event) == 2
	})
	for _, x := range []struct {
		c       Letters
		letters int
		refused string
	}{
		{Letters{IDs: row}, 0, "it was replayed at"},
		{Letters{IDs: row, Again: true}, 1, ""},
	} {
		got, err := p.ReplayLetters(t.Context(), "J", x.c)
		if err != nil || got.Letters != x.letters || got.Events != x.letters || x.refused != "" && !strings.Contains(strings.Join(got.Refused, ""), x.refused) {
			t.Errorf("%+v: %+v, %v", x.c, got, err)
		}
	}
	if _, err := p.ReplayLetters(t.Context(), "J", Letters{IDs: []string{row[0], "nope"}}); !errors.Is(err, ErrNoLetter) {
		t.Errorf("a letter that is not there: %v", err)
	}

	if n, err := p.DropLetters(t.Context(), "J", Letters{IDs: event[:1]}); err != nil || n != 1 {
		t.Errorf("%d dropped, %v", n, err)
	}
	if n, err := p.DropLetters(t.Context(), "J", Letters{Before: time.Now().Add(-time.Hour)}); err != nil || n != 0 {
		t.Errorf("%d old ones dropped, %v", n, err)
	}
	if _, err := p.DropLetters(t.Context(), "nope", Letters{All: true}); !errors.Is(err, ErrNoJob) {
		t.Errorf("no job: %v", err)
	}
	if n, err := p.DropLetters(t.Context(), "J", Letters{All: true}); err != nil || n == 0 {
		t.Errorf("%d dropped, %v", n, err)
	}
}

// An event that the log does not hold any more cannot be replayed, and the letter stays.
func TestARemovedEventIsNotReplayed(t *testing.T) {
	p := run(t, pipeline.Options{
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs:   []pipeline.Job{{Name: "j", Script: "SELECT n INTO o FROM [in]", Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}}},
	})
	p.send("in", "no JSON")
	until(t, "the letter", func() bool { return len(p.lines("j")) == 1 })
	h, _ := p.o.Hubs.Hub("in")
	if err := h.Partition(0).TrimTo(1); err != nil {
		t.Fatal(err)
	}
	got, err := p.ReplayLetters(t.Context(), "j", Letters{All: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.Events != 0 || len(got.Refused) != 1 || !strings.Contains(got.Refused[0], "does not hold offset 0 any more") || deadletter.IsReplayed([]byte(p.lines("j")[0])) {
		t.Errorf("%+v", got)
	}
}
