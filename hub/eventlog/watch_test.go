package eventlog

import (
	"slices"
	"testing"
)

func TestAWatchTellsWhichPartitionsHaveGrown(t *testing.T) {
	o, _ := tempLog(t)
	l := create(t, o, Settings{}, 3)
	mustAppend(t, l.Partition(0).Append(Kafka, bodies("a")))
	w := NewWatch()
	grown := func() []int {
		<-w.Wake()
		got := w.Grown(nil)
		slices.Sort(got)
		return got
	}
	l.Partition(0).Watch(w, 10, 0) // has a record already
	l.Partition(1).Watch(w, 11, 0)
	l.Partition(2).Watch(w, 12, 0)
	if got := grown(); !slices.Equal(got, []int{10}) {
		t.Errorf("at first %v", got)
	}
	for range 3 {
		mustAppend(t, l.Partition(1).Append(Kafka, bodies("b")))
	}
	if got := grown(); !slices.Equal(got, []int{11}) {
		t.Errorf("then %v", got)
	}
	if got := w.Grown(nil); len(got) != 0 {
		t.Errorf("once more %v", got)
	}
	l.Partition(1).Unwatch(w)
	mustAppend(t, l.Partition(1).Append(Kafka, bodies("c")))
	select {
	case <-w.Wake():
		t.Error("it tells of a partition that is not watched")
	default:
	}
	l.Delete()
	if got := grown(); !slices.Equal(got, []int{10, 12}) {
		t.Errorf("at the end %v", got)
	}
}
