package ingest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"spate/internal/process"
)

// Dialers are the clients of this package, by the name that Load.Via has.
func Dialers() map[string]Dial { return map[string]Dial{"kafka": DialKafka, "amqp": DialAMQP} }

// The words between a measuring process and its producers: the load as a line of JSON,
// then ready from the producers, go to them, and the result as a line of JSON.
const (
	wordReady = "ready"
	wordGo    = "go"
)

// Produce is the process of the producers: its standard input and output.
func Produce(ctx context.Context, in io.Reader, out io.Writer, dialers map[string]Dial) error {
	from := bufio.NewReader(in)
	line, err := from.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the load: %w", err)
	}
	var l Load
	if err := json.Unmarshal(line, &l); err != nil {
		return fmt.Errorf("reading the load: %w", err)
	}
	if err := l.Check(); err != nil {
		return err
	}
	dial := dialers[l.Via]
	if dial == nil {
		return fmt.Errorf("there is no client of %q", l.Via)
	}
	d := dialogue{in: from, out: out}
	if l.FetchMax > 0 {
		if err := fill(ctx, &l); err != nil {
			return err
		}
		return d.measured(func() (*Result, error) { return read(ctx, &l) })
	}
	c, err := connect(ctx, &l, dial)
	if err != nil {
		return err
	}
	err = d.measured(func() (*Result, error) { return c.run(ctx) })
	return errors.Join(err, c.close())
}

// dialogue is the producers' side of the words.
type dialogue struct {
	in  *bufio.Reader
	out io.Writer
}

// measured does what is measured between the two words; the result is out before anything
// else happens, because the server's time counts until then.
func (d *dialogue) measured(work func() (*Result, error)) error {
	if _, err := fmt.Fprintln(d.out, wordReady); err != nil {
		return err
	}
	word, err := d.in.ReadString('\n')
	if err != nil || strings.TrimSpace(word) != wordGo {
		return errors.New("whoever measures has gone")
	}
	r, err := work()
	if err != nil {
		return err
	}
	return json.NewEncoder(d.out).Encode(r)
}

// Outcome is a result with what the server has used for it.
type Outcome struct {
	Result
	Server time.Duration // CPU time meanwhile
	Peak   float64       // resident memory since its start, MiB
}

// ServerCost and ClientCost are CPU-seconds per million events.
func (o *Outcome) ServerCost() float64 { return o.perMillion(o.Server) }
func (o *Outcome) ClientCost() float64 { return o.perMillion(o.CPU) }

func (o *Outcome) perMillion(d time.Duration) float64 {
	return d.Seconds() / float64(o.Events) * 1e6
}

// PerSecond is the events of a second.
func (o *Outcome) PerSecond() float64 { return float64(o.Events) / o.Took.Seconds() }

// TwoCores is how many events a second two processors could serve that do nothing but
// the work of server and clients.
func (o *Outcome) TwoCores() float64 { return 2e6 / (o.ServerCost() + o.ClientCost()) }

// Measure runs producers, a command whose process calls Produce, against a server.
func Measure(ctx context.Context, producers *exec.Cmd, server *process.Process, l *Load) (_ *Outcome, err error) {
	in, err := producers.StdinPipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := producers.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var errs strings.Builder
	producers.Stderr = &errs
	if err := producers.Start(); err != nil {
		return nil, fmt.Errorf("starting the producers: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { producers.Process.Kill() })
	defer stop()
	o, err := talk(bufio.NewReader(out), in, server, l)
	in.Close()
	if e := producers.Wait(); e != nil {
		err = errors.Join(err, fmt.Errorf("%w\n%s", e, errs.String()))
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("running the producers: %w\n%s", err, server.Log())
	}
	if o.Events == 0 {
		return nil, errors.New("running the producers: nothing was acknowledged while they ran: a longer duration, or a higher rate")
	}
	return o, nil
}

func talk(from *bufio.Reader, to io.Writer, server *process.Process, l *Load) (*Outcome, error) {
	if err := json.NewEncoder(to).Encode(l); err != nil {
		return nil, err
	}
	word, err := from.ReadString('\n')
	if err != nil || strings.TrimSpace(word) != wordReady {
		return nil, fmt.Errorf("they say %q, %w", word, err)
	}
	before, err := server.CPU()
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintln(to, wordGo); err != nil {
		return nil, err
	}
	line, err := from.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	after, err := server.CPU()
	if err != nil {
		return nil, err
	}
	o := &Outcome{Server: after - before}
	if err := json.Unmarshal(line, &o.Result); err != nil {
		return nil, fmt.Errorf("reading what the producers did: %w", err)
	}
	o.Peak, err = server.Peak()
	return o, err
}
