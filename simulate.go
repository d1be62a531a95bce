package spate

import (
	"context"
	"errors"

	"spate/pipeline"
	"spate/simulator"
)

// simulate runs the built-in fleet against this pipeline's own listeners.
func (p *Pipeline) simulate(ctx context.Context) {
	s := *p.opts.Simulate
	fleet, err := simulator.New(simulator.Options{
		Devices: s.Devices, Interval: s.Interval, Duration: s.Duration, Scenario: simulator.Scenario(s.Scenario), Seed: s.Seed,
		Rate: s.Rate, Locations: s.Locations, Types: s.Types, Log: p.log,
	})
	if err != nil {
		p.log.Error("starting the simulator", "err", err)
		return
	}
	target, err := p.simulatorTarget(ctx, s)
	if err != nil {
		p.log.Error("connecting the simulator", "hub", s.Hub, "err", err)
		return
	}
	defer target.Close()
	if _, err := fleet.Run(ctx, target, nil); err != nil && !errors.Is(err, context.Canceled) {
		p.log.Error("simulator stopped", "hub", s.Hub, "err", err)
	}
}

func (p *Pipeline) simulatorTarget(ctx context.Context, s pipeline.Simulate) (simulator.Target, error) {
	c := simulator.Connection{String: p.Endpoints().ConnectionString, Hub: s.Hub}
	if s.Via == "amqp" || p.Endpoints().Kafka == "" {
		return simulator.NewAMQP(ctx, c)
	}
	c.Brokers, c.Plain = []string{p.Endpoints().Kafka}, true
	return simulator.NewKafka(ctx, c)
}
