package bind

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

var windowNames = []string{"TumblingWindow", "HoppingWindow", "SlidingWindow", "SessionWindow", "Windows"}

// windowName is the short name of a window function, empty for others.
func windowName(name string) string {
	switch name = strings.TrimSuffix(name, "WINDOW"); name {
	case "TUMBLING", "HOPPING", "SLIDING", "SESSION", "WINDOWS":
		return name
	}
	return ""
}

// windows binds the window of a GROUP BY, or all of Windows(...).
func (q *query) windows(g *group, c *syntax.Call) {
	if windowName(callName(c)) != "WINDOWS" {
		if w, ok := q.window(c); ok {
			g.node.Windows = []plan.Window{w}
		}
		return
	}
	named := 0
	seen := map[string]bool{}
	for _, a := range c.Args {
		w, ok := q.member(a)
		if !ok {
			return
		}
		if w.ID != "" {
			named++
			if seen[strings.ToLower(w.ID)] {
				q.b.fail(a.Loc(), "", "two windows have the id '%s'", w.ID)
			}
			seen[strings.ToLower(w.ID)] = true
		}
		g.node.Windows = append(g.node.Windows, w)
	}
	switch {
	case len(c.Args) == 0:
		q.b.fail(c.Span, "write Windows(TumblingWindow(minute, 5), ...)", "Windows() has no windows")
	case named > 0 && named < len(c.Args):
		q.b.fail(c.Span, "write Window('id', TumblingWindow(minute, 5))", "either all windows have an id or none")
	}
	g.ids = named > 0
}

// member binds one argument of Windows(...).
func (q *query) member(e syntax.Expr) (plan.Window, bool) {
	if isSystemTimestamp(e) {
		return plan.Window{Kind: plan.Snapshot}, true
	}
	c, ok := e.(*syntax.Call)
	if !ok {
		q.b.fail(e.Loc(), "write a key beside it: GROUP BY key, Windows(...)", "Windows() holds windows")
		return plan.Window{}, false
	}
	if callName(c) != "WINDOW" {
		return q.window(c)
	}
	if len(c.Args) != 2 {
		q.b.fail(c.Span, "write Window('id', TumblingWindow(minute, 5))", "Window() takes an id and a window")
		return plan.Window{}, false
	}
	id, ok := c.Args[0].(*syntax.Literal)
	if !ok || id.Kind != syntax.StringLit || id.Text == "" {
		q.b.fail(c.Args[0].Loc(), "write Window('id', TumblingWindow(minute, 5))", "the id of a window is a string")
		return plan.Window{}, false
	}
	if isSystemTimestamp(c.Args[1]) {
		return plan.Window{Kind: plan.Snapshot, ID: id.Text}, true
	}
	inner, ok := c.Args[1].(*syntax.Call)
	if !ok {
		q.b.fail(c.Args[1].Loc(), "write Window('id', TumblingWindow(minute, 5))", "Window() takes an id and a window")
		return plan.Window{}, false
	}
	w, ok := q.window(inner)
	w.ID = id.Text
	return w, ok
}

// windowForm is how a window function takes its spans.
type windowForm struct {
	kind     plan.WindowKind
	long     []string // names of the long form; the last may be OFFSET
	required int
	short    string // example for messages
	spelt    string // example of the long form
}

var windowForms = map[string]windowForm{
	"TUMBLING": {plan.Tumbling, []string{"DURATION", "OFFSET"}, 1, "TumblingWindow(minute, 5)", "TumblingWindow(Duration(minute, 5))"},
	"HOPPING":  {plan.Hopping, []string{"DURATION", "HOP", "OFFSET"}, 2, "HoppingWindow(minute, 10, 5)", "HoppingWindow(Duration(minute, 10), Hop(minute, 5))"},
	"SLIDING":  {plan.Sliding, []string{"DURATION"}, 1, "SlidingWindow(minute, 5)", "SlidingWindow(Duration(minute, 5))"},
	"SESSION":  {plan.Session, []string{"TIMEOUT", "MAXDURATION"}, 2, "SessionWindow(minute, 5, 10)", "SessionWindow(Timeout(minute, 5), MaxDuration(minute, 10))"},
}

// window binds one window function.
func (q *query) window(c *syntax.Call) (plan.Window, bool) {
	form, ok := windowForms[windowName(callName(c))]
	if !ok {
		q.b.fail(c.Span, "", "%s is no window here", syntax.FormatName(c.Name))
		return plan.Window{}, false
	}
	w := plan.Window{Kind: form.kind}
	if !q.windowOver(c, &w) {
		return w, false
	}
	spans, ok := q.windowSpans(c, form)
	if !ok {
		return w, false
	}
	w.Size, w.Hop = spans[0], spans[0]
	if form.required == 2 {
		w.Hop = spans[1]
	}
	if n := len(form.long); form.long[n-1] == "OFFSET" && len(spans) == n {
		w.Offset = spans[n-1]
	}
	if form.kind == plan.Sliding {
		w.Hop = 0
	}
	return w, true
}

func (q *query) windowOver(c *syntax.Call, w *plan.Window) bool {
	o := c.Over
	if o == nil {
		return true
	}
	if w.Kind != plan.Session || o.OrderBy != nil || o.Limit != nil || o.When != nil || o.Frame != nil {
		q.b.fail(o.Span, "write the key beside the window: GROUP BY key, TumblingWindow(minute, 5)", "only SessionWindow takes OVER, with PARTITION BY alone")
		return false
	}
	for _, k := range o.PartitionBy {
		w.OverKey = append(w.OverKey, q.expr(k))
	}
	return true
}

// windowSpans reads the spans in the short form (unit, n, ...) or the long one
// (Duration(unit, n), ...).
func (q *query) windowSpans(c *syntax.Call, form windowForm) ([]column.Ticks, bool) {
	most := len(form.long)
	if len(c.Args) > 0 {
		if _, long := c.Args[0].(*syntax.Call); long {
			return q.longSpans(c, form)
		}
	}
	if n := len(c.Args) - 1; n < form.required || n > most {
		hint := "write " + form.short
		if form.kind == plan.Session && n == 1 {
			hint = "add the maximum duration: " + form.short
		}
		q.b.fail(c.Span, hint, "%s takes a unit and %s", syntax.FormatName(c.Name), countOf(form.required, most))
		return nil, false
	}
	unit, ok := q.b.unit(c.Args[0])
	if !ok {
		return nil, false
	}
	var spans []column.Ticks
	for i, e := range c.Args[1:] {
		t, ok := q.b.span(unit, e, form.long[i] == "OFFSET")
		if !ok {
			return nil, false
		}
		spans = append(spans, t)
	}
	return spans, true
}

func (q *query) longSpans(c *syntax.Call, form windowForm) ([]column.Ticks, bool) {
	if len(c.Args) < form.required || len(c.Args) > len(form.long) {
		q.b.fail(c.Span, "write "+form.spelt, "%s takes %s", syntax.FormatName(c.Name), countOf(form.required, len(form.long)))
		return nil, false
	}
	var spans []column.Ticks
	for i, a := range c.Args {
		want := form.long[i]
		part, ok := a.(*syntax.Call)
		if !ok || callName(part) != want || len(part.Args) != 2 {
			q.b.fail(a.Loc(), "write "+form.spelt, "%s wants %s(unit, n) here", syntax.FormatName(c.Name), want)
			return nil, false
		}
		unit, ok := q.b.unit(part.Args[0])
		if !ok {
			return nil, false
		}
		t, ok := q.b.span(unit, part.Args[1], want == "OFFSET")
		if !ok {
			return nil, false
		}
		spans = append(spans, t)
	}
	return spans, true
}

// countOf says how many spans there may be; there are one to three.
func countOf(least, most int) string {
	words := [...]string{1: "one", 2: "two", 3: "three"}
	switch {
	case most == 1:
		return "one span"
	case least == most:
		return words[least] + " spans"
	}
	return words[least] + " or " + words[most] + " spans"
}
