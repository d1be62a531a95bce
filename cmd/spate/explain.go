package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"spate/console"
	"spate/stream"
)

func (a *app) explainJob() *cobra.Command {
	var format, why string
	var sample int
	cmd := &cobra.Command{Use: "explain NAME", Short: "What a job does, step by step, and what became of an event", Args: cobra.ExactArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			if why != "" {
				return a.explainEvent(cmd.Context(), args[0], why)
			}
			return a.explainSteps(cmd.Context(), args[0], format, sample)
		})}
	f := cmd.Flags()
	f.StringVar(&format, "format", "", "text (default), json, dot or mermaid")
	f.IntVar(&sample, "sample", 0, fmt.Sprintf("show so many of the newest rows of each step, at most %d", stream.MostSampled))
	f.StringVar(&why, "why", "", "what became of an event: HUB/PARTITION/SEQUENCE, as in telemetry/0/17")
	return cmd
}

// askJob asks the running instance about a job.
func (a *app) askJob(ctx context.Context, name, what string, parameters url.Values, into any) error {
	i, err := a.running()
	if err != nil {
		return err
	}
	return answerCode(i.call(ctx, http.MethodGet, "/api/jobs/"+url.PathEscape(name)+"/"+what+"?"+parameters.Encode(), cmpTimeout(a.timeout), into))
}

func (a *app) explainSteps(ctx context.Context, name, format string, sample int) error {
	form, err := a.form("text", "json")
	if err != nil {
		return err
	}
	if format == "" {
		format = form
	}
	printed := map[string]func(io.Writer, *stream.Explanation) error{"text": printSteps, "dot": printDot, "mermaid": printMermaid,
		"json": func(w io.Writer, e *stream.Explanation) error { return writeJSON(w, e) }}[format]
	switch {
	case printed == nil:
		return withCode(usage, fmt.Errorf("--format %s: want text, json, dot or mermaid", format))
	case sample < 0 || sample > stream.MostSampled:
		return withCode(usage, fmt.Errorf("--sample %d: want 0 to %d rows", sample, stream.MostSampled))
	}
	var e stream.Explanation
	if err := a.askJob(ctx, name, "explain", url.Values{"sample": {strconv.Itoa(sample)}}, &e); err != nil {
		return err
	}
	return printed(a.stdout, &e)
}

func printSteps(w io.Writer, e *stream.Explanation) error {
	fmt.Fprintf(w, "job %s: %s\n", e.Job, e.State)
	if e.Error != "" {
		fmt.Fprintf(w, "! %s\n", e.Error)
	}
	fmt.Fprintln(w, "\ninputs")
	for _, in := range e.Inputs {
		fmt.Fprintf(w, "  %s  from %s, %d partitions: %d messages, %d events\n", in.Alias, in.Source, in.Partitions, in.Messages, in.Events)
		fmt.Fprintf(w, "    not readable %d, no event time %d, early %d, late %d, out of order %d (%s)\n", in.Deserialization, in.InvalidTime, in.Early, in.Late, in.OutOfOrder, in.Policy)
	}
	fmt.Fprintln(w, "\nsteps")
	table := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  #\tLine\tRows in\tRows out\tRows out/s\tState\tWatermark\tWhere\tFrom\tStep")
	for _, s := range e.Steps {
		line := ""
		if s.Line > 0 {
			line = strconv.Itoa(s.Line)
		}
		state := ""
		if s.Entries > 0 {
			state = fmt.Sprintf("%d entries, %s", s.Entries, bytesText(s.Bytes))
		}
		fmt.Fprintf(table, "  %d\t%s\t%d\t%d\t%.1f\t%s\t%s\t%s\t%s\t%s\n", s.ID, line, s.RowsIn, s.RowsOut, s.RateOut, state, s.Watermark, placeText(&s), idsText(s.From), stepText(s.Step, s.Does))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, s := range e.Steps {
		for i, r := range s.Sample {
			if i == 0 {
				fmt.Fprintf(w, "\nnewest rows of #%d %s\n", s.ID, stepText(s.Step, s.Does))
			}
			fmt.Fprintf(w, "  %s  %s\n", r.Time, rowText(r.Row))
		}
	}
	fmt.Fprintln(w, "\noutputs")
	for _, o := range e.Outputs {
		fmt.Fprintf(w, "  %s  line %d, from #%d, to %s: %d rows, %d refused\n    %s; %s\n", o.Alias, o.Line, o.From, o.Target, o.Rows, o.Refused, o.Guarantee, o.OnError)
	}
	if len(e.Edges) > 0 {
		fmt.Fprintln(w, "\nbetween goroutines")
	}
	for _, x := range e.Edges {
		to := fmt.Sprintf("#%d", x.To)
		if x.To == 0 {
			to = "output " + x.Output
		}
		ordered := ""
		if x.Ordered {
			ordered = ", brought into order"
		}
		fmt.Fprintf(w, "  #%d to %s: %s%s\n", x.From, to, x.Carries, ordered)
	}
	return nil
}

func placeText(s *stream.ExplainedStep) string {
	out := s.Place
	if s.Place != "tail" {
		out = fmt.Sprintf("%d × %s", s.Copies, s.Place)
	}
	if s.Key != "" {
		out += " by " + s.Key
	}
	return out
}

// stepText is what a step does, behind the name that it has in WITH.
func stepText(name, does string) string {
	if r := []rune(does); len(r) > 100 {
		does = string(r[:99]) + "…"
	}
	if name != "" {
		return name + ": " + does
	}
	return does
}

// rowText is a row on one line.
func rowText(row []byte) string {
	var b bytes.Buffer
	if err := json.Compact(&b, row); err != nil {
		return string(row)
	}
	return b.String()
}

func idsText(ids []int) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprintf("#%d", id)
	}
	return strings.Join(out, " ")
}

func bytesText(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// printDot prints the steps as a graph for Graphviz.
func printDot(w io.Writer, e *stream.Explanation) error {
	fmt.Fprintf(w, "digraph %q {\n  rankdir=LR; node [shape=box];\n", e.Job)
	for _, s := range e.Steps {
		fmt.Fprintf(w, "  s%d [label=%q];\n", s.ID, fmt.Sprintf("#%d %s\n%s\nin %d out %d", s.ID, stepText(s.Step, s.Does), placeText(&s), s.RowsIn, s.RowsOut))
		for _, from := range s.From {
			fmt.Fprintf(w, "  s%d -> s%d;\n", from, s.ID)
		}
	}
	for i, o := range e.Outputs {
		fmt.Fprintf(w, "  o%d [label=%q, shape=cylinder];\n  s%d -> o%d;\n", i, o.Alias+"\n"+o.Target, o.From, i)
	}
	_, err := fmt.Fprintln(w, "}")
	return err
}

// printMermaid prints the steps as a flow chart for Mermaid.
func printMermaid(w io.Writer, e *stream.Explanation) error {
	label := func(s string) string { return strings.NewReplacer(`"`, "#quot;", "\n", "<br>").Replace(s) }
	fmt.Fprintln(w, "flowchart LR")
	for _, s := range e.Steps {
		fmt.Fprintf(w, "  s%d[\"%s\"]\n", s.ID, label(fmt.Sprintf("#%d %s\n%s\nin %d out %d", s.ID, stepText(s.Step, s.Does), placeText(&s), s.RowsIn, s.RowsOut)))
		for _, from := range s.From {
			fmt.Fprintf(w, "  s%d --> s%d\n", from, s.ID)
		}
	}
	for i, o := range e.Outputs {
		fmt.Fprintf(w, "  o%d[(\"%s\")]\n  s%d --> o%d\n", i, label(o.Alias+"\n"+o.Target), o.From, i)
	}
	return nil
}

// explainEvent prints what became of an event.
func (a *app) explainEvent(ctx context.Context, name, event string) error {
	form, err := a.form("text", "json")
	if err != nil {
		return err
	}
	if _, err := console.ParseEvent(event); err != nil {
		return withCode(usage, fmt.Errorf("--why: %w", err))
	}
	var t stream.Trace
	if err := a.askJob(ctx, name, "why", url.Values{"event": {event}}, &t); err != nil {
		return err
	}
	if form == "json" {
		return writeJSON(a.stdout, &t)
	}
	printTrace(a.stdout, event, &t)
	return nil
}

func printTrace(w io.Writer, event string, t *stream.Trace) {
	if t.Arrived != "" {
		body := t.Body
		if len(body) > 500 {
			body = body[:500] + "…"
		}
		fmt.Fprintf(w, "%s arrived %s\n  %s\n", event, t.Arrived, strings.ToValidUTF8(body, "�"))
	}
	switch {
	case t.Unread:
		fmt.Fprintf(w, "%s is not read yet\n", event)
		return
	case t.Before:
		fmt.Fprintln(w, "the job begins to read behind it")
		return
	}
	for _, v := range t.Verdicts {
		what := "dropped"
		if v.Kind == "runtime" {
			what = "a row of it is dropped"
		}
		if !v.Dropped {
			what = fmt.Sprintf("its time is moved by %gs", v.Moved)
		}
		fmt.Fprintf(w, "  input %s: %s: %s (%s)\n", v.Input, what, v.Reason, v.Type)
	}
	if t.Error != "" {
		fmt.Fprintf(w, "! the script fails on what was read: %s\n", t.Error)
	}
	for _, o := range t.Outputs {
		fmt.Fprintf(w, "\nINTO %s (line %d): %s\n", o.Alias, o.Line, outcome(&o))
		for _, s := range chain(t, o.From) {
			fmt.Fprintf(w, "  %s\n", stepOutcome(t, s))
			for i, r := range s.Sample {
				if i == 3 {
					fmt.Fprintf(w, "      and %d more\n", s.Rows-i)
					break
				}
				fmt.Fprintf(w, "      %s  %s\n", r.Time, rowText(r.Row))
			}
		}
	}
	short := ""
	if t.Short {
		short = "; the log does not reach back as far as the steps do, and what was removed may change this"
	}
	fmt.Fprintf(w, "\nby the script as it is now; read %d messages again%s\n", t.Replayed, short)
}

func outcome(o *stream.TracedOutput) string {
	var out []string
	for _, x := range []struct {
		n    int
		what string
	}{{o.Written, "written"}, {o.Refused, "refused by the output (" + o.Reason + ")"}, {o.Waiting, "waiting for the watermark"}, {o.Early, "before the first output time, not written"}} {
		if x.n > 0 {
			out = append(out, fmt.Sprintf("%d %s %s", x.n, map[bool]string{true: "row", false: "rows"}[x.n == 1], x.what))
		}
	}
	if out == nil {
		return "no row"
	}
	return strings.Join(out, ", ")
}

// chain are the steps from the inputs to one, as far as the event comes, and the first
// that it does not come through.
func chain(t *stream.Trace, to int) []*stream.TracedStep {
	wanted := map[int]bool{to: true}
	for i := to; i > 0; i-- {
		if wanted[i] {
			for _, from := range t.Steps[i-1].From {
				wanted[from] = true
			}
		}
	}
	var out []*stream.TracedStep
	for i := range t.Steps[:to] {
		s := &t.Steps[i]
		came := s.Rows > 0
		for _, from := range s.From {
			came = came || t.Steps[from-1].Rows > 0
		}
		if wanted[s.ID] && came {
			out = append(out, s)
		}
	}
	return out
}

func stepOutcome(t *stream.Trace, s *stream.TracedStep) string {
	line := ""
	if s.Line > 0 {
		line = fmt.Sprintf(" (line %d)", s.Line)
	}
	in := 0
	for _, from := range s.From {
		in += t.Steps[from-1].Rows
	}
	out := fmt.Sprintf("#%d %s%s: ", s.ID, stepText(s.Step, s.Does), line)
	filter := strings.HasPrefix(s.Does, "filter ")
	switch {
	case filter && s.Rows == 0:
		return out + "not true, it goes no further"
	case filter && s.Rows < in:
		return out + fmt.Sprintf("true for %d of %d rows", s.Rows, in)
	case s.Waiting > 0 && s.Waiting == s.Rows:
		return out + fmt.Sprintf("in %d, waiting for the watermark", s.Rows)
	case s.Waiting > 0:
		return out + fmt.Sprintf("in %d, of which %d wait for the watermark", s.Rows, s.Waiting)
	}
	return out + fmt.Sprintf("in %d", s.Rows)
}
