// Command bench sends the load of `spate bench ingest` to Spate and to other logs, one
// after the other on the same machine, and prints one table with ratios.
//
// It is a module of its own, so that the other logs stay out of Spate's.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"spate/workload/ingest"
)

// The words by which this program is started as a process beside itself.
const (
	roleProducers = "producers"
	roleNATS      = "nats"
	roleKfake     = "kfake"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

// options are what a run of all peers is told.
type options struct {
	spate, kafka, dir string
	only              string
	rounds            int
	loads             []ingest.Load
	log               io.Writer
}

func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case roleProducers:
			dialers := ingest.Dialers()
			dialers[viaNATS], dialers[viaAtomic] = dialNATS, dialAtomic
			return ingest.Produce(ctx, in, out, dialers)
		case roleNATS, roleKfake:
			return serve(ctx, args)
		}
	}
	o, err := parse(args, errs)
	if err != nil {
		return err
	}
	rows, missing, err := o.measure(ctx)
	if err != nil {
		return err
	}
	return table(out, rows, versions(o.kafka), missing)
}

func parse(args []string, errs io.Writer) (*options, error) {
	o := &options{log: errs}
	var one ingest.Load
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.spate, "spate", filepath.Join("..", "bin", "spate"), "the built command")
	f.StringVar(&o.kafka, "kafka", filepath.Join(toolsDir(), "kafka"), "folder with the jars of Apache Kafka, as .ci/tools installs them")
	f.StringVar(&o.dir, "dir", "", "folder of the data, on the disk to measure; default a temporary one")
	f.StringVar(&o.only, "only", "", "only peers whose name has this in it, and Spate")
	f.IntVar(&o.rounds, "rounds", 1, "how often everything is measured; the run in the middle counts")
	f.IntVar(&one.Producers, "producers", 100, "clients, each with one batch under way")
	f.IntVar(&one.Size, "size", 250, "bytes of an event")
	f.IntVar(&one.Batch, "batch", 20, "events of a batch")
	f.IntVar(&one.Partitions, "partitions", 4, "of the hub, topic or streams")
	f.Float64Var(&one.Rate, "rate", 0, "events per second that all producers send; default as fast as they get answers")
	f.DurationVar(&one.Duration, "duration", 10*time.Second, "of each load")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%s: there are flags only", f.Arg(0))
	}
	if o.rounds < 1 {
		return nil, errors.New("-rounds must be above 0")
	}
	one.Codec, one.Via = "none", "kafka"
	o.loads = []ingest.Load{one}
	alone := false
	f.Visit(func(f *flag.Flag) {
		alone = alone || slices.Contains([]string{"producers", "size", "batch", "rate"}, f.Name)
	})
	if !alone {
		large, slow := one, one
		large.Producers, large.Batch = 8, 1000
		slow.Producers, slow.Rate = 20, 2000
		o.loads = append(o.loads, large, slow)
	}
	for i := range o.loads {
		if err := o.loads[i].Check(); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(o.spate); err != nil {
		return nil, fmt.Errorf("-spate: %w (go build -o bin/spate ./cmd/spate makes it)", err)
	}
	return o, nil
}

// toolsDir is where .ci/tools puts things.
func toolsDir() string {
	if dir := os.Getenv("SPATE_TOOLS"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "spate-tools")
}

// row is what a peer did under a load.
type row struct {
	peer *peer
	load *ingest.Load
	*ingest.Outcome
}

// measure runs every load against every peer that is there. It returns the names of the
// others, with what they lack.
func (o *options) measure(ctx context.Context) (rows []row, missing []string, err error) {
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "spate-peers-"); err != nil {
			return nil, nil, err
		}
		defer os.RemoveAll(dir)
	}
	var there []*peer
	for _, p := range peers(o) {
		switch lack := p.lacks(); {
		case p.name != spateName && !strings.Contains(strings.ToLower(p.name), strings.ToLower(o.only)):
		case lack != "":
			missing = append(missing, p.name+": "+lack)
		default:
			there = append(there, p)
		}
	}
	for i := range o.loads {
		l := &o.loads[i]
		runs := make(map[*peer][]*ingest.Outcome)
		for round := range o.rounds {
			for k, p := range there {
				fmt.Fprintf(o.log, "%s, %s\n", describe(l), p.name)
				out, err := p.measure(ctx, filepath.Join(dir, fmt.Sprintf("%d-%d-%d", i, round, k)), *l)
				if err != nil {
					return nil, nil, fmt.Errorf("%s, %s: %w", describe(l), p.name, err)
				}
				runs[p] = append(runs[p], out)
			}
		}
		for _, p := range there {
			rows = append(rows, row{p, l, median(runs[p], l.Rate > 0)})
		}
	}
	return rows, missing, nil
}

// median is the run in the middle by its rate; where that was given, by its slow answers.
func median(runs []*ingest.Outcome, paced bool) *ingest.Outcome {
	slices.SortFunc(runs, func(a, b *ingest.Outcome) int {
		if paced {
			return cmp.Compare(a.P99, b.P99)
		}
		return cmp.Compare(a.PerSecond(), b.PerSecond())
	})
	return runs[len(runs)/2]
}

func describe(l *ingest.Load) string {
	text := fmt.Sprintf("%d producers, batches of %d events of %d bytes, %d partitions", l.Producers, l.Batch, l.Size, l.Partitions)
	if l.Rate > 0 {
		text += fmt.Sprintf(", %.0f events/s in all", l.Rate)
	}
	return text
}

// self is this program in another role.
func self(role ...string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(exe, role...), nil
}
