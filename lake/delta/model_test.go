package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"spate/blob"
)

// turns is a store whose calls wait for their turn, so that a test can say in which order
// the calls of several writers happen. The answer of a Create may be lost.
type turns struct {
	*blob.Memory
	asks chan turn
}

type turn struct {
	writer int
	create bool
	lose   chan bool // answered once: go on, and whether the answer is lost
}

type seat struct {
	*turns
	writer int
}

var errLost = errors.New("the answer was lost")

func (s seat) wait(create bool) (lose bool) {
	x := turn{s.writer, create, make(chan bool)}
	s.asks <- x
	return <-x.lose
}

func (s seat) Create(ctx context.Context, key string, body io.Reader) (blob.Info, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return blob.Info{}, err
	}
	lose := s.wait(true)
	info, err := s.Memory.Create(ctx, key, bytes.NewReader(data))
	if lose {
		return blob.Info{}, errLost
	}
	return info, err
}

func (s seat) Open(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	s.wait(false)
	return s.Memory.Open(ctx, key, off, n)
}

// TestCommitProtocolInEveryOrder lets writers commit at the same time and takes every order
// of their reads and creates, every answer of a create arriving or being lost. Each writer
// ends with its commit in the log exactly once, or with an error and no commit; two that use
// one application id never both win.
func TestCommitProtocolInEveryOrder(t *testing.T) {
	for _, c := range []struct {
		name    string
		writers int
		same    bool // all use one application id
		losses  int  // answers that may be lost in one order
	}{{"two", 2, false, 2}, {"two of one application", 2, true, 2}, {"three", 3, false, 0}} {
		run := func(t *testing.T) {
			orders := 0
			// script holds the choices of the order that is tried: which of the waiting
			// writers goes on, and what becomes of its answer. It counts up like a number.
			var script, width []int
			for {
				played := play(t, c.writers, c.same, c.losses, script, &width)
				orders++
				script = played
				i := len(script) - 1
				for i >= 0 && script[i]+1 >= width[i] {
					i--
				}
				if i < 0 {
					break
				}
				script = append(script[:i:i], script[i]+1)
				if t.Failed() {
					return
				}
			}
			if orders < 20 {
				t.Errorf("only %d orders", orders)
			}
			t.Logf("%d orders", orders)
		}
		t.Run(c.name, func(t *testing.T) { synctest.Test(t, run) })
	}
}

// play runs one order: the choices of script, then the first of each. It returns the
// choices made; width gets how many there were at each.
func play(t *testing.T, writers int, same bool, losses int, script []int, width *[]int) []int {
	memory := blob.NewMemory()
	if _, err := Create(t.Context(), memory, "t", telemetry); err != nil {
		t.Fatal(err)
	}
	store := &turns{memory, make(chan turn)}
	type end struct {
		writer int
		s      *Snapshot
		err    error
	}
	ends := make(chan end)
	for w := range writers {
		table, err := Open(t.Context(), memory, "t")
		if err != nil {
			t.Fatal(err)
		}
		table.store = seat{store, w}
		table.opts.Beside = func(func(context.Context)) {} // what follows a commit is not of this test
		app := "app"
		if !same {
			app = fmt.Sprint("app", w)
		}
		go func() {
			s, err := table.commit(t.Context(), &Transaction{Operation: "WRITE", Adds: []*Add{file(fmt.Sprint("f", w), "2025-03-10")},
				Txns: []Txn{{AppID: app, Version: 1}}}, table.Known(), new(bool))
			ends <- end{w, s, err}
		}()
	}
	var choices []int
	*width = (*width)[:0]
	choose := func(n int) int {
		k := 0
		if i := len(choices); i < len(script) {
			k = script[i]
		}
		choices, *width = append(choices, k), append(*width, n)
		return k
	}
	results := map[int]end{}
	waiting := map[int]turn{}
	for len(results) < writers {
		// Every writer that has not ended comes to its next call first.
		for len(waiting)+len(results) < writers {
			select {
			case x := <-store.asks:
				waiting[x.writer] = x
			case e := <-ends:
				results[e.writer] = e
			case <-time.After(time.Minute):
				t.Fatal("a writer neither asks nor ends")
			}
		}
		if len(waiting) == 0 {
			break
		}
		var who []int
		for w := range waiting {
			who = append(who, w)
		}
		slices.Sort(who)
		w := who[0]
		if len(who) > 1 {
			w = who[choose(len(who))]
		}
		x := waiting[w]
		delete(waiting, w)
		lose := false
		if x.create && losses > 0 {
			if lose = choose(2) == 1; lose {
				losses--
			}
		}
		x.lose <- lose
	}
	fresh, err := Open(t.Context(), memory, "t")
	if err != nil {
		t.Fatal(err)
	}
	won, versions := 0, map[int64]bool{}
	for w, e := range results {
		n := 0
		for v := int64(1); v <= fresh.Known().Version; v++ {
			c, err := fresh.readCommit(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range c.adds {
				if a.Path == fmt.Sprint("f", w) {
					n++
				}
			}
		}
		switch {
		case e.err == nil:
			won++
			if n != 1 || versions[e.s.Version] {
				t.Errorf("order %v: writer %d won version %d, its files are in %d commits", choices, w, e.s.Version, n)
			}
			versions[e.s.Version] = true
		case n != 0:
			t.Errorf("order %v: writer %d has the error %v and its files are in the table", choices, w, e.err)
		case same && !errors.Is(e.err, ErrTransactionConflict), !same:
			t.Errorf("order %v: writer %d: %v", choices, w, e.err)
		}
	}
	if want := map[bool]int{true: 1, false: writers}[same]; won != want {
		t.Errorf("order %v: %d writers won, want %d", choices, won, want)
	}
	return choices
}
