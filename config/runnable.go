package config

import (
	"context"
	"errors"

	"spate/column"
	"spate/connector"
	"spate/connector/file"
	"spate/sql/plan"
	"spate/stream"
	"spate/stream/exec"
)

// unsupported finds a construct that the language has and the engine does not run: the
// job is built and run on no event.
func unsupported(p *plan.Job) *exec.UnsupportedError {
	o := stream.Options{Name: "check", Plan: p, IdleTick: -1, NoFlush: true, Inputs: map[string]stream.Input{}, Outputs: map[string]connector.Sink{}}
	for _, in := range p.Inputs {
		o.Inputs[in.Name] = stream.Input{Source: file.NewSource(nil, 1, 1)}
	}
	for _, out := range p.Outputs {
		o.Outputs[out.Name] = nowhere{}
	}
	j, err := stream.New(context.Background(), o)
	if err == nil {
		err = j.Run(context.Background())
	}
	var u *exec.UnsupportedError
	errors.As(err, &u)
	return u
}

// nowhere is a sink and its writer.
type nowhere struct{}

func (nowhere) OpenWriter(context.Context, int, int) (connector.Writer, error) { return nowhere{}, nil }

func (nowhere) Commit(context.Context, connector.Epoch, []connector.Prepared) error { return nil }

func (nowhere) Write(context.Context, *column.Batch) ([]connector.BadRow, error) { return nil, nil }

func (nowhere) Prepare(context.Context, connector.Epoch) (connector.Prepared, error) { return nil, nil }

func (nowhere) Close() error { return nil }
