package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"spate/access"
	"spate/config"
	"spate/console"
	"spate/simulator"
)

func (a *app) simulate() *cobra.Command {
	var o simulator.Options
	var interval, duration, scenario, hub, via, connection string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Send telemetry of a device fleet to the running instance, or to any namespace",
		Long: "Send telemetry of a device fleet.\n\nThe target is --connection-string, else EVENT_HUB_CONNECTION_STRING, else the running instance; the hub is\n" +
			"--hub, else EVENT_HUB_NAME, else the pipeline's.",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.IntVar(&o.Devices, "devices", 20, "devices")
	f.StringVar(&interval, "interval", "5s", "between two events of a device")
	f.StringVar(&duration, "duration", "0", "stop after this time; 0: when interrupted")
	f.StringVar(&scenario, "scenario", "seed", fmt.Sprintf("one of %v", simulator.Scenarios()))
	f.Int64Var(&o.Seed, "seed", 1, "equal seeds give equal fleets")
	f.Float64Var(&o.Rate, "rate", 0, "events per second of the whole fleet, instead of --interval")
	f.StringVar(&hub, "hub", os.Getenv("EVENT_HUB_NAME"), "hub")
	f.StringVar(&via, "via", "", "kafka or amqp (default kafka; amqp for a connection string with a port, which is AMQP's)")
	f.StringVar(&connection, "connection-string", "", "namespace to send to")
	f.BoolVar(&dryRun, "dry-run", false, "print the events, send nothing")
	cmd.RunE = do(func(cmd *cobra.Command, _ []string) error {
		form, err := a.form("text", "json")
		if err != nil {
			return err
		}
		var err1, err2, err3 error
		o.Interval, err1 = config.ParseDuration(interval)
		o.Duration, err2 = config.ParseDuration(duration)
		o.Scenario, err3 = simulator.ParseScenario(scenario)
		if err := errors.Join(err1, err2, err3); err != nil {
			return withCode(usage, err)
		}
		fleet, err := simulator.New(o)
		if err != nil {
			return withCode(usage, err)
		}
		var target simulator.Target
		if dryRun {
			target = simulator.Func(func(_ context.Context, events []simulator.Event) error {
				for _, e := range events {
					if _, err := fmt.Fprintf(a.stdout, "%s\n", e.Body); err != nil {
						return err
					}
				}
				return nil
			})
		} else if target, err = a.target(cmd.Context(), connection, hub, via); err != nil {
			return err
		}
		line := newStatusLine(a.stderr, a.quiet || dryRun)
		ctx, stop := context.WithCancelCause(cmd.Context())
		defer stop(nil)
		show := progress(line, fleet.Options().Interval)
		stats, err := fleet.Run(ctx, target, func(p simulator.Progress) {
			if errors.Is(p.Err, simulator.ErrNoHub) {
				stop(withCode(notFound, p.Err)) // no batch will fare better
				return
			}
			show(p)
		})
		line.wipe()
		var lost coded
		if errors.As(context.Cause(ctx), &lost) {
			err = lost
		}
		if e := target.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
		if err := a.summary(form, dryRun, stats, perSecond(stats, fleet.Options().Interval)); err != nil {
			return err
		}
		if err := cmd.Context().Err(); err != nil {
			return err // interrupted: the last batch may be counted as failed
		}
		if stats.Failed > 0 {
			return fmt.Errorf("%d events were not accepted", stats.Failed)
		}
		return nil
	})
	return cmd
}

// summary tells what a run has sent.
func (a *app) summary(form string, dryRun bool, stats simulator.Stats, rate float64) error {
	if form == "json" && !dryRun {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"sent": stats.Sent, "failed": stats.Failed,
			"seconds": stats.Elapsed.Seconds(), "eventsPerSecond": math.Round(rate*10) / 10})
	}
	if !a.quiet && !dryRun {
		fmt.Fprintf(a.stderr, "sent %d events in %s (%.0f/s), %d failed\n", stats.Sent, stats.Elapsed.Truncate(time.Millisecond),
			rate, stats.Failed)
	}
	return nil
}

// progress shows how far a run is: on a terminal a line or, with an end, a bar that is
// drawn anew; elsewhere a line every 10 batches. Each error is told once until the next
// success.
func progress(line *statusLine, interval time.Duration) func(simulator.Progress) {
	last := ""
	var drawn time.Duration
	return func(p simulator.Progress) {
		if p.Err != nil && p.Err.Error() != last {
			last = p.Err.Error()
			fmt.Fprintf(line, "batch %d not accepted: %v\n", p.Batches, p.Err)
		} else if p.Err == nil {
			last = ""
		}
		switch {
		case line.quiet:
		case !line.live && p.Batches%10 == 0:
			line.draw(fmt.Sprintf("batch %d: %d events sent (%.0f/s)", p.Batches, p.Sent, perSecond(p.Stats, interval)))
		case line.live && (drawn == 0 || p.Elapsed-drawn >= redrawBar || p.Batches == p.Total):
			drawn = p.Elapsed
			line.draw(describeRun(p, interval))
		}
	}
}

// redrawBar is the shortest time between two pictures of a bar.
const redrawBar = 100 * time.Millisecond

// describeRun is one line about a run.
func describeRun(p simulator.Progress, interval time.Duration) string {
	counts := fmt.Sprintf("%d events sent (%.0f/s)", p.Sent, perSecond(p.Stats, interval))
	if p.Failed > 0 {
		counts += fmt.Sprintf(", %d failed", p.Failed)
	}
	if p.Total == 0 {
		return fmt.Sprintf("%s  %s", p.Elapsed.Truncate(time.Second), counts)
	}
	left := time.Duration(p.Total-p.Batches) * interval
	return fmt.Sprintf("%s %3d%%  %s  %s left", bar(p.Batches, p.Total), p.Batches*100/p.Total, counts, left.Round(time.Second))
}

// perSecond is the mean rate of a run. The last batch fills its interval too: a fleet
// that sends 20 events a second has that rate after the first one.
func perSecond(s simulator.Stats, interval time.Duration) float64 {
	return float64(s.Sent) / max(s.Elapsed, time.Duration(s.Batches)*interval).Seconds()
}

// bar is a picture of done of total.
func bar(done, total int64) string {
	const width = 30
	full := int(min(done, total) * width / max(total, 1))
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "]"
}

// target connects to where events go.
func (a *app) target(ctx context.Context, connection, hub, via string) (simulator.Target, error) {
	switch via {
	case "", "kafka", "amqp":
	case "rest", "mqtt":
		return nil, withCode(usage, fmt.Errorf("--via %s is not supported yet", via))
	default:
		return nil, withCode(usage, fmt.Errorf("--via %s: want kafka or amqp", via))
	}
	c := simulator.Connection{String: connection, Hub: hub}
	if c.String == "" {
		c.String = os.Getenv("EVENT_HUB_CONNECTION_STRING")
	}
	if c.String == "" {
		if err := a.localTarget(&c); err != nil {
			return nil, err
		}
	}
	if err := a.needHub(&c); err != nil {
		return nil, err
	}
	var t simulator.Target
	var err error
	if via == "" {
		via = "kafka"
		if len(c.Brokers) == 0 && namesPort(c.String) {
			via = "amqp"
		}
	}
	if via == "kafka" {
		t, err = simulator.NewKafka(ctx, c)
	} else {
		t, err = simulator.NewAMQP(ctx, c)
	}
	switch {
	case err == nil || ctx.Err() != nil:
		return t, err
	case errors.Is(err, simulator.ErrUnauthorized):
		return nil, withCode(unauthorized, err)
	case errors.Is(err, simulator.ErrNoHub):
		return nil, withCode(notFound, err)
	}
	if strings.Contains(err.Error(), "unknown authority") {
		err = fmt.Errorf("%w (how to trust the local one: spate certs)", err)
	}
	return nil, withCode(noConnection, err)
}

// needHub fills in the pipeline's hub where nothing names one.
func (a *app) needHub(c *simulator.Connection) error {
	parsed, err := access.ParseConnectionString(c.String)
	if err != nil {
		return withCode(usage, err)
	}
	if c.Hub != "" || parsed.EntityPath != "" {
		return nil
	}
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return err
	}
	if c.Hub = producerHub(&p.Options); c.Hub == "" {
		return withCode(usage, errors.New("name the hub: --hub, or EVENT_HUB_NAME"))
	}
	return nil
}

// namesPort says whether the endpoint of a connection string has a port.
func namesPort(connection string) bool {
	c, err := access.ParseConnectionString(connection)
	if err != nil {
		return false // connecting says why
	}
	u, err := url.Parse(c.Endpoint)
	return err == nil && u.Port() != ""
}

// localTarget fills c from the running instance and its pipeline.
func (a *app) localTarget(c *simulator.Connection) error {
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return err
	}
	i, err := console.ReadInstance(p.Options.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return withCode(noConnection, fmt.Errorf("no instance runs on %s: start one with `spate up`, or name --connection-string", shortPath(p.Options.Dir)))
	}
	if err != nil {
		return err
	}
	c.String = i.ConnectionStrings["emulator"]
	if c.String == "" {
		return withCode(noConnection, errors.New("the running instance has no plain port: name --connection-string"))
	}
	// One that was killed leaves its instance file.
	probe, err := net.DialTimeout("tcp", i.Addresses["amqp"], time.Second)
	if err != nil {
		return withCode(noConnection, fmt.Errorf("the instance on %s (process %d) does not answer: start it with `spate up`; %w", shortPath(p.Options.Dir), i.PID, err))
	}
	probe.Close()
	if kafka := i.Addresses["kafka"]; kafka != "" {
		c.Brokers, c.Plain = []string{kafka}, true
	}
	if c.Hub == "" {
		c.Hub = producerHub(&p.Options)
	}
	return nil
}
