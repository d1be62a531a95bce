package eventlog

import (
	"errors"
	"testing"
	"time"
)

func TestAnOlderLifeOfAJobIsFenced(t *testing.T) {
	o, _ := tempLog(t)
	l := create(t, o, Settings{SegmentBytes: 1 << 20}, 1)
	p, id := l.Partition(0), FirstJobProducer+7
	first := p.Claim(id)
	mustAppend(t, p.AppendFenced(id, first, 0, 0, bodies("a", "b")))
	second := p.Claim(id)
	for _, late := range []*Ticket{p.AppendFenced(id, first, 2, 0, bodies("late")), p.AppendFenced(id, first, 0, 0, bodies("a", "b"))} {
		<-late.Done()
		if !errors.Is(late.Err(), ErrFenced) {
			t.Errorf("an append of the first life: %v, want ErrFenced", late.Err())
		}
	}
	mustAppend(t, p.AppendFenced(id, second, p.ProducerNext(id), 0, bodies("c")))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p = l.Partition(0)
	if got := p.ProducerNext(id); got != 3 {
		t.Errorf("next sequence %d, want 3", got)
	}
	if third := p.Claim(id); third == first || third == second {
		t.Errorf("a life after a restart has epoch %d, and those before had %d and %d", third, first, second)
	}
}

// A life is fenced even if it has stored nothing.
func TestALifeThatStoredNothingIsFenced(t *testing.T) {
	o, _ := tempLog(t)
	l := create(t, o, Settings{SegmentBytes: 1 << 20}, 1)
	defer l.Close()
	p, id := l.Partition(0), FirstJobProducer+7
	first := p.Claim(id)
	p.Claim(id)
	late := p.AppendFenced(id, first, 0, 0, bodies("late"))
	<-late.Done()
	if !errors.Is(late.Err(), ErrFenced) || p.Bounds().Next != 0 {
		t.Errorf("an append of a life that stored nothing: %v, next %d", late.Err(), p.Bounds().Next)
	}
}

func TestNotBeforeHoldsAgainstAClockThatStepsBack(t *testing.T) {
	o, clock := tempLog(t)
	l := create(t, o, Settings{SegmentBytes: 1 << 20}, 1)
	defer l.Close()
	p := l.Partition(0)
	ahead := clock.ms.Load() + 5000
	p.NotBefore(ahead)
	clock.ms.Add(-1000)
	tk := mustAppend(t, p.Append(AMQP, bodies("a")))
	if tk.Time() != time.UnixMilli(ahead).UTC() {
		t.Errorf("appended at %v, want %v", tk.Time(), time.UnixMilli(ahead).UTC())
	}
	id := FirstJobProducer + 7
	tk = mustAppend(t, p.AppendFenced(id, p.Claim(id), 0, ahead+3, bodies("b")))
	if tk.Time() != time.UnixMilli(ahead+3).UTC() {
		t.Errorf("appended at %v, want %v", tk.Time(), time.UnixMilli(ahead+3).UTC())
	}
}
