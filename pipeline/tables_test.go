package pipeline

import (
	"testing"
	"time"
)

func TestCommitInterval(t *testing.T) {
	tb := func(d time.Duration) Table {
		return Table{Name: "t", Flush: Flush{Interval: d}}
	}
	for _, c := range []struct {
		own    time.Duration
		tables []Table
		want   time.Duration
		fails  bool
	}{
		{0, nil, 0, false}, {0, []Table{tb(0), tb(2), tb(2)}, 2, false}, {3, []Table{tb(3), tb(0)}, 3, false},
		{3, []Table{tb(2)}, 0, true}, {0, []Table{tb(3), tb(2)}, 0, true},
	} {
		got, err := CommitInterval(c.own, c.tables...)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%v, %v: %v, %v", c.own, c.tables, got, err)
		}
	}
}
