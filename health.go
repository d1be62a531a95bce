package spate

import (
	"errors"
	"fmt"
	"slices"

	"spate/datafolder"
	"spate/listen/limit"
)

// Phases of a pipeline.
const (
	opened int32 = iota
	runs
	stops
)

// health is why the pipeline is not healthy, a line for each reason; nil: it is.
func (p *Pipeline) health() error { return errors.Join(p.problems()...) }

// problems is everything that does not work as it should, what keeps events out first.
func (p *Pipeline) problems() []error {
	return slices.Concat(p.refusals(), p.jobs.Problems(), p.upkeep.Problems(), p.notifiers.Problems())
}

// ready is why the pipeline takes no events yet, or no more; nil: it does.
func (p *Pipeline) ready() error {
	switch p.phase.Load() {
	case opened:
		return errors.New("the pipeline starts")
	case stops:
		return errors.New("the pipeline stops")
	}
	errs := p.refusals()
	for _, j := range p.jobs.Status() {
		if j.State == "Starting" {
			errs = append(errs, fmt.Errorf("job %s starts", j.Name))
		}
	}
	return errors.Join(errs...)
}

// refusals is why events are not taken, or not all.
func (p *Pipeline) refusals() []error {
	errs := p.hubs.problems()
	if err := datafolder.Full(p.opts.Dir); err != nil {
		errs = append([]error{err}, errs...)
	}
	for _, c := range []*limit.Connections{p.limits.connections, p.limits.watched} {
		err := c.Problem()
		if err != nil && !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
			errs = append(errs, err)
		}
	}
	return errs
}
