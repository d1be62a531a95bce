package spate

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"

	"spate/hub"
	"spate/pipeline"
	"spate/simulator"
)

// simulation is the built-in fleet, which sends to the pipeline's own listeners.
type simulation struct {
	hubs      *hub.Namespace
	endpoints func() Endpoints
	log       *slog.Logger

	turn   sync.Mutex         // one start or stop at a time; guards the fields below
	wanted *pipeline.Simulate // what Run begins with
	now    *fleet             // nil: none runs

	mu     sync.Mutex   // guards the field below
	launch func(*fleet) // runs one; nil: the pipeline does not run
}

// fleet is one run of the simulator.
type fleet struct {
	said pipeline.Simulate
	to   simulator.Connection
	stop context.CancelFunc
	over chan struct{} // closed when it has ended
	run  func(ctx context.Context)
}

func fleetOptions(s pipeline.Simulate, log *slog.Logger) simulator.Options {
	return simulator.Options{
		Devices: s.Devices, Interval: s.Interval, Duration: s.Duration, Scenario: simulator.Scenario(s.Scenario), Seed: s.Seed,
		Rate: s.Rate, Locations: s.Locations, Types: s.Types, Log: log,
	}
}

// Check implements room.
func (s *simulation) Check(o pipeline.Options) error {
	if o.Simulate == nil {
		return nil
	}
	if _, ok := s.hubs.Hub(o.Simulate.Hub); !ok && !o.HasHub(o.Simulate.Hub) {
		return fmt.Errorf("starting the simulator: hub %s does not exist", o.Simulate.Hub)
	}
	if _, err := simulator.New(fleetOptions(*o.Simulate, s.log)); err != nil {
		return fmt.Errorf("starting the simulator: %w", err)
	}
	return nil
}

// Run runs the fleet that is wanted, and those that Reload makes of it, until ctx ends.
func (s *simulation) Run(ctx context.Context) {
	var running sync.WaitGroup
	s.mu.Lock()
	s.launch = func(f *fleet) {
		life, stop := context.WithCancel(ctx)
		f.stop = stop
		running.Go(func() {
			defer close(f.over)
			f.run(life)
		})
	}
	s.mu.Unlock()
	s.turn.Lock()
	_, err := s.take(ctx, s.wanted)
	s.turn.Unlock()
	if err != nil && ctx.Err() == nil {
		s.log.Error("the simulator does not run", "err", err)
	}
	<-ctx.Done()
	s.mu.Lock()
	s.launch = nil
	s.mu.Unlock()
	running.Wait()
}

// Reload implements room.
func (s *simulation) Reload(ctx context.Context, o pipeline.Options) ([]string, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.wanted = o.Simulate
	if !s.running() { // Run begins with it
		return nil, nil
	}
	return s.take(ctx, o.Simulate)
}

func (s *simulation) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launch != nil
}

// take makes the fleet what is wanted: another one is connected before the one that runs
// is stopped. The caller has the turn.
func (s *simulation) take(ctx context.Context, wanted *pipeline.Simulate) ([]string, error) {
	if wanted == nil {
		if s.now == nil {
			return nil, nil
		}
		s.end()
		return []string{"simulator stopped"}, nil
	}
	to := s.target(*wanted)
	if s.now != nil && reflect.DeepEqual(s.now.said, *wanted) && reflect.DeepEqual(s.now.to, to) {
		return nil, nil
	}
	f, err := s.connect(ctx, *wanted, to)
	if err != nil {
		if s.now != nil {
			return nil, fmt.Errorf("the simulator goes on as it was: %w", err)
		}
		return nil, fmt.Errorf("starting the simulator: %w", err)
	}
	did := "simulator started"
	if s.now != nil {
		s.end()
		did = "simulator replaced"
	}
	return []string{did}, s.begin(f)
}

// target is where a fleet sends.
func (s *simulation) target(said pipeline.Simulate) simulator.Connection {
	e := s.endpoints()
	to := simulator.Connection{String: e.ConnectionString, Hub: said.Hub}
	if said.Via != "amqp" && e.Kafka != "" {
		to.Brokers, to.Plain = []string{e.Kafka}, true
	}
	return to
}

// connect makes a fleet that can send.
func (s *simulation) connect(ctx context.Context, said pipeline.Simulate, to simulator.Connection) (*fleet, error) {
	devices, err := simulator.New(fleetOptions(said, s.log))
	if err != nil {
		return nil, err
	}
	var target simulator.Target
	if len(to.Brokers) > 0 {
		target, err = simulator.NewKafka(ctx, to)
	} else {
		target, err = simulator.NewAMQP(ctx, to)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to hub %s: %w", said.Hub, err)
	}
	return &fleet{said: said, to: to, over: make(chan struct{}), run: func(ctx context.Context) {
		if _, err := devices.Run(ctx, target, nil); err != nil {
			s.log.Error("simulator stopped", "hub", said.Hub, "err", err)
		}
		if err := target.Close(); err != nil {
			s.log.Debug("closing the simulator's connection", "hub", said.Hub, "err", err)
		}
	}}, nil
}

// begin launches a fleet. The caller has the turn.
func (s *simulation) begin(f *fleet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.launch == nil {
		ended, stop := context.WithCancel(context.Background())
		stop()
		f.run(ended) // which closes its connection
		return ErrNotRunning
	}
	s.launch(f)
	s.now = f
	return nil
}

// end stops the fleet that runs. The caller has the turn.
func (s *simulation) end() {
	s.now.stop()
	<-s.now.over
	s.now = nil
}
