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

func TestUseOfAHub(t *testing.T) {
	o := Options{Hubs: []Hub{{Name: "Known"}}, Captures: []Capture{{Hub: "captured"}}, Notify: []Notify{{Name: "n", Hub: "alerts"}}, Simulate: &Simulate{Hub: "sent"},
		Jobs: []Job{{Name: "j", Disabled: true, Inputs: []Input{{Alias: "i", Hub: "read"}}, Outputs: []Output{{Alias: "o", Hub: "written"}, {Alias: "t", Table: "t"}}}}}
	for name, want := range map[string]string{"KNOWN": "it is a hub of the pipeline", "Read": "job j reads it", "written": "job j writes it",
		"captured": "it is captured", "alerts": "notify n reads it", "sent": "the simulator sends to it", "t": ""} {
		if got := o.UseOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
