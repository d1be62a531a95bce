package reference

import (
	"fmt"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// collect gathers rows into groups by window end and key.
type collect struct {
	groups []*group
	index  map[string]*group
}

func (c *collect) add(window string, end column.Ticks, keys []column.Value, x row) {
	id := appendKey([]byte(window), column.TimeOf(end))
	for _, k := range keys {
		id = appendKey(id, k)
	}
	g := c.index[string(id)]
	if g == nil {
		g = &group{end: end, keys: keys}
		if c.index == nil {
			c.index = map[string]*group{}
		}
		c.index[string(id)] = g
		c.groups = append(c.groups, g)
	}
	g.rows = append(g.rows, x)
}

// ceil is the smallest grid point not below t; the grid is the multiples of
// step, shifted by offset.
func ceil(t, step, offset column.Ticks) column.Ticks {
	d := (t - offset) % step
	if d < 0 {
		d += step
	}
	if d == 0 {
		return t
	}
	return t + step - d
}

// window forms all groups of one window definition. in is in total order; overs are the
// session keys of its rows.
func window(w *plan.Window, in []row, keys [][]column.Value, overs []string) ([]*group, error) {
	var c collect
	switch w.Kind {
	case plan.Tumbling:
		for i := range in {
			c.add("", ceil(in[i].time, w.Size, w.Offset), keys[i], in[i])
		}
	case plan.Hopping:
		for i := range in {
			for end := ceil(in[i].time, w.Hop, w.Offset); end-w.Size < in[i].time; end += w.Hop {
				c.add("", end, keys[i], in[i])
			}
		}
	case plan.Snapshot:
		for i := range in {
			c.add("", in[i].time, keys[i], in[i])
		}
	case plan.Sliding:
		sliding(w, in, keys, &c)
	case plan.Session:
		sessions(w, in, keys, overs, &c)
	default:
		return nil, fmt.Errorf("window kind %d is not supported yet", w.Kind)
	}
	return c.groups, nil
}

// sliding reports each key at every instant at which rows enter or leave,
// unless the window is empty then.
func sliding(w *plan.Window, in []row, keys [][]column.Value, c *collect) {
	var byKey collect
	for i := range in {
		byKey.add("", 0, keys[i], in[i])
	}
	for _, k := range byKey.groups {
		var instants []column.Ticks
		for _, x := range k.rows {
			instants = append(instants, x.time, x.time+w.Size)
		}
		slices.Sort(instants)
		for _, end := range slices.Compact(instants) {
			g := &group{end: end}
			for _, x := range k.rows {
				if x.time > end-w.Size && x.time <= end {
					g.rows = append(g.rows, x)
				}
			}
			if len(g.rows) == 0 {
				continue
			}
			for i := range in { // the keys as the first row of this window has them
				if in[i].at == g.rows[0].at && in[i].time == g.rows[0].time && sameKeys(keys[i], k.keys) {
					g.keys = keys[i]
					break
				}
			}
			c.groups = append(c.groups, g)
		}
	}
}

func sameKeys(a, b []column.Value) bool {
	for i := range a {
		if string(appendKey(nil, a[i])) != string(appendKey(nil, b[i])) {
			return false
		}
	}
	return true
}

// session is the rows of one session of one session key, in total order.
type session struct {
	bound, last column.Ticks
	members     []int // rows of in
}

// sessions cuts the rows of each session key into sessions, then groups the
// rows of each session by key.
func sessions(w *plan.Window, in []row, keys [][]column.Value, overs []string, c *collect) {
	open := map[string]*session{}
	var all []*session
	for i := range in {
		t := in[i].time
		s := open[overs[i]]
		switch {
		case s != nil && t-s.last <= w.Size && t <= s.bound:
		case s != nil && t-s.last <= w.Size: // goes on behind a cut
			s = &session{bound: ceil(t, w.Hop, 0)}
			all = append(all, s)
		default:
			s = &session{bound: ceil(t, w.Hop, 0) + w.Hop}
			all = append(all, s)
		}
		s.last = t
		s.members = append(s.members, i)
		open[overs[i]] = s
	}
	for n, s := range all {
		end := min(s.last+w.Size, s.bound)
		for _, i := range s.members {
			c.add(fmt.Sprint(n), end, keys[i], in[i])
		}
	}
}
