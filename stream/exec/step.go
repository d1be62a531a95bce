package exec

import (
	"fmt"
	"slices"

	"spate/column"
	"spate/sql/plan"
)

// Order is what a step needs of the order of its rows.
type Order uint8

// Orders.
const (
	AnyOrder   Order = iota
	TotalOrder       // event time, arrival, message; with a key, among the rows of one key
)

// Step is how the engine runs one node of a plan. Compile is the only place that
// tells the kinds of nodes apart.
type Step struct {
	Node  plan.Node
	Order Order
	// Keys holds, for each input, expressions over its columns: rows with equal values
	// must meet, rows with others need not. Nil: all rows must meet.
	Keys [][]plan.Expr
	// Local steps keep nothing between two watermarks and look at one row at a time: they
	// run where their input does.
	Local bool
	// Sorted steps give rows in total order. Local ones do so if their input does.
	Sorted bool
	// Ahead steps give rows that may stand at or behind the time up to which they have
	// promised. Whoever runs them lets such rows wait, in total order.
	Ahead bool
	// Fresh steps make new rows; those of others are rows of their inputs, in their places.
	Fresh bool
	// Split, if set, is the step in two halves: parts are made where the rows are, and
	// joined in one place.
	Split *Split
	New   func() (Operator, error) // nil: an input
}

// Split is an aggregation in two halves.
type Split struct {
	Local func() (*Aggregator, error)
	Final func() (*Finisher, error)
}

// Compile says how a node is run. What the engine does not run is an
// *UnsupportedError; New may give one too.
func Compile(n plan.Node) (*Step, error) {
	if plan.Branches(n) >= column.Branches {
		return nil, fmt.Errorf("compiling the plan: UNIONs and windows above one another make %d rows or more of an event", column.Branches)
	}
	s := &Step{Node: n}
	switch n := n.(type) {
	case *plan.Input:
		_, err := NewTimeStage(n, TimePolicy{})
		return s, err
	case *plan.Filter:
		s.Local = true
		s.New = func() (Operator, error) { return NewFilter(n) }
	case *plan.Project:
		s.Local = true
		s.New = func() (Operator, error) { return NewProject(n) }
	case *plan.Apply:
		// It numbers the turns of rows of one place, which must come behind one another: as
		// they do up to the first step that needs order or makes rows of several.
		if s.Local = true; plan.Several(n.In) && !ofEvents(n.In) {
			s.Local, s.Order, s.Sorted = false, TotalOrder, true
		}
		s.New = func() (Operator, error) { return NewApply(n) }
	case *plan.Lookup:
		// Its rows are numbered like those of an APPLY.
		if s.Local = true; plan.Several(n.In) && !ofEvents(n.In) {
			s.Local, s.Order, s.Sorted = false, TotalOrder, true
		}
		s.New = func() (Operator, error) { return NewLookup(n) }
	case *plan.Union:
		s.Local = true
		s.New = func() (Operator, error) { return NewUnion(n), nil }
	case *plan.Analytic:
		s.Order, s.Sorted = TotalOrder, true
		s.Keys = oneInput(analyticKey(n))
		s.New = func() (Operator, error) { return NewAnalytic(n) }
	case *plan.Join:
		s.Order, s.Fresh = TotalOrder, true
		if keys := [][]plan.Expr{n.KeyOf(0), n.KeyOf(1)}; len(n.Keys) > 0 && !apart(n.Left, keys[0]) && !apart(n.Right, keys[1]) {
			s.Keys = keys
		}
		s.Ahead = n.Outer && n.Most > n.Wait
		s.Sorted = !n.Outer || s.Ahead
		s.New = func() (Operator, error) { return NewJoin(n) }
	case *plan.Match:
		s.Order, s.Sorted, s.Fresh = TotalOrder, true, true
		if len(n.Keys) > 0 {
			s.Keys = [][]plan.Expr{n.Keys}
		}
		s.Ahead = !n.Pattern.Fixed()
		s.New = func() (Operator, error) { return NewMatch(n) }
	case *plan.Aggregate:
		s.Sorted, s.Fresh = true, true
		s.New = func() (Operator, error) { return NewAggregate(n) }
		if OrderFree(n) {
			s.Split = &Split{
				Local: func() (*Aggregator, error) { return NewAggregator(n) },
				Final: func() (*Finisher, error) { return NewFinisher(n) },
			}
			break
		}
		s.Order = TotalOrder
		s.Keys = oneInput(windowKey(n))
	default:
		return nil, fmt.Errorf("compiling the plan: step %T is not supported yet", n)
	}
	return s, nil
}

// ofEvents reports whether the rows of a node are made of those of inputs one by one.
func ofEvents(n plan.Node) bool {
	switch n.(type) {
	case *plan.Input, *plan.Filter, *plan.Project, *plan.Union, *plan.Apply, *plan.Lookup:
	default:
		return false
	}
	return !slices.ContainsFunc(n.Inputs(), func(in plan.Node) bool { return !ofEvents(in) })
}

// apart reports whether a key may split rows that an APPLY has made of one event. A JOIN
// numbers the pairs of an event, and must have all rows of it.
func apart(n plan.Node, key []plan.Expr) bool {
	return slices.ContainsFunc(key, func(e plan.Expr) bool { return plan.Apart(n, e) })
}

// Check builds the step and throws it away: what the engine does not run of it comes
// back as an error.
func (s *Step) Check() error {
	if s.New == nil {
		return nil
	}
	if _, err := s.New(); err != nil || s.Split == nil {
		return err
	}
	if _, err := s.Split.Local(); err != nil {
		return err
	}
	_, err := s.Split.Final()
	return err
}

// oneInput are the keys of a step with one input.
func oneInput(key []plan.Expr) [][]plan.Expr {
	if key == nil {
		return nil
	}
	return [][]plan.Expr{key}
}

// analyticKey is the key that all functions of a step have; nil if they differ.
func analyticKey(n *plan.Analytic) []plan.Expr {
	keys := n.Funcs[0].Keys
	for _, f := range n.Funcs[1:] {
		if !plan.SameExprs(keys, f.Keys) {
			return nil
		}
	}
	return keys
}

// windowKey is the key that the state of all windows of an aggregation has: of a
// session that of its OVER, of others the groups. Nil if they differ.
func windowKey(n *plan.Aggregate) []plan.Expr {
	groups := make([]plan.Expr, len(n.Keys))
	for i, k := range n.Keys {
		groups[i] = k.Expr
	}
	var keys []plan.Expr
	for i, w := range n.Windows {
		own := groups
		if w.Kind == plan.Session {
			own = w.OverKey
		}
		if i > 0 && !plan.SameExprs(keys, own) {
			return nil
		}
		keys = own
	}
	return keys
}
