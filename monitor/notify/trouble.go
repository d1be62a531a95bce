package notify

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// troubles are what keeps a notifier from its work now.
type troubles struct {
	mu  sync.Mutex // guards the field below
	why map[string]error
}

// set notes why something of a notifier does not work; nil: it does.
func (t *troubles) set(what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		delete(t.why, what)
	case t.why == nil:
		t.why = map[string]error{what: err}
	default:
		t.why[what] = err
	}
}

// Problems says what keeps the notifier from its work now.
func (n *Notifier) Problems() (errs []error) {
	n.troubles.mu.Lock()
	defer n.troubles.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(n.troubles.why)) {
		errs = append(errs, fmt.Errorf("notify %s: %s: %w", n.o.Name, what, n.troubles.why[what]))
	}
	return errs
}
