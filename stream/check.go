package stream

import (
	"errors"

	"spate/sql/plan"
	"spate/stream/exec"
)

// Check compiles a plan and returns what the engine does not run of it: all
// errors of type *exec.UnsupportedError, and the first of another kind.
func Check(p *plan.Job) (unsupported []*exec.UnsupportedError, err error) {
	g, err := buildGraph(p)
	if err != nil {
		return nil, err
	}
	for _, n := range g.nodes {
		err := compileNode(n)
		var u *exec.UnsupportedError
		switch {
		case errors.As(err, &u):
			unsupported = append(unsupported, u)
		case err != nil:
			return unsupported, err
		}
	}
	return unsupported, nil
}

func compileNode(n plan.Node) error {
	var err error
	switch n := n.(type) {
	case *plan.Input:
		_, err = exec.NewTimeStage(n, exec.TimePolicy{})
	case *plan.Filter, *plan.Project:
		_, err = statelessOperator(n)
	case *plan.Analytic:
		_, err = exec.NewAnalytic(n)
	case *plan.Aggregate:
		_, err = exec.NewAggregate(n)
		if err == nil && exec.OrderFree(n) {
			if _, err = exec.NewAggregator(n); err == nil {
				_, err = exec.NewFinisher(n)
			}
		}
	}
	return err
}
