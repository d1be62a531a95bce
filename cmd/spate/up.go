package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"spate"
	"spate/config"
	"spate/pipeline"
)

func (a *app) up() *cobra.Command {
	var noSimulator, noConsole, watch, acceptCopy bool
	var ports string
	var drain time.Duration
	cmd := &cobra.Command{
		Use: "up [FILE|DIR]", Annotations: oneForm,
		Short: "Run the pipeline; without one, the built-in example",
		Args:  cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVar(&noSimulator, "no-simulator", false, "do not run the file's simulator")
	f.BoolVar(&noConsole, "no-console", false, "close the HTTP port")
	f.BoolVar(&watch, "watch", terminal(a.stderr), "take over changes of the pipeline file and its scripts; default on a terminal")
	f.BoolVar(&acceptCopy, "accept-copy", false, "start on a data folder that was copied after its process had been killed, or moved: nothing ran there meanwhile")
	f.StringVar(&ports, "ports", "fixed", "fixed or auto: any free ports")
	f.DurationVar(&drain, "drain-timeout", 30*time.Second, "how long an orderly stop may take")
	cmd.RunE = do(func(cmd *cobra.Command, args []string) error {
		if ports != "fixed" && ports != "auto" {
			return withCode(usage, fmt.Errorf("--ports %s: want fixed or auto", ports))
		}
		named := strings.Join(args, "")
		load := func() (*config.Pipeline, error) {
			p, err := a.load(named, config.Source{AutoPorts: ports == "auto"})
			if err != nil {
				return nil, err
			}
			if noSimulator {
				p.Options.Simulate = nil
			}
			p.Options.AcceptCopy = acceptCopy
			if noConsole {
				p.Options.Listen.HTTP = ""
			}
			return p, nil
		}
		p, err := load()
		if err != nil {
			return err
		}
		w := &watcher{files: p.Files, load: load, warned: make(map[string]bool)}
		for _, warning := range p.Warnings {
			fmt.Fprint(a.stderr, warning.String())
			w.warned[strings.TrimSpace(warning.String())] = true
		}
		if !watch {
			w = nil
		}
		return a.runPipeline(cmd.Context(), p, drain, a.again(named), w)
	})
	return cmd
}

// again is how another verb is called on the pipeline that named, or the global flags,
// say: what is printed for people to paste.
func (a *app) again(named string) func(verb string) string {
	program := programName()
	var flags strings.Builder
	for _, f := range []struct{ name, value string }{{"-f", cmp.Or(named, a.file)}, {"--data", a.data}} {
		if f.value != "" {
			fmt.Fprintf(&flags, " %s %s", f.name, shellWord(f.value))
		}
	}
	if a.example {
		flags.WriteString(" --example")
	}
	return func(verb string) string { return program + " " + verb + flags.String() }
}

// programName is how this program was started.
func programName() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, "go-build") { // by `go run`: the binary is gone with it
		if _, err := os.Stat("cmd/spate/main.go"); err == nil {
			return "go run ./cmd/spate"
		}
		return "go run spate/cmd/spate"
	}
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		return shellWord(os.Args[0])
	}
	return "spate"
}

// shellWord is s as one word of a shell command.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (a *app) runPipeline(ctx context.Context, p *config.Pipeline, drain time.Duration, again func(verb string) string, w *watcher) error {
	signal.Ignore(syscall.SIGPIPE) // whoever read the log may go, the pipeline stays
	line := newStatusLine(a.stderr, a.quiet)
	log, err := a.logger(line, slog.LevelInfo)
	if err != nil {
		return err
	}
	p.Options.Log = log
	p.Options.Drain = drain - drain/4 // the rest is for the last checkpoint
	pipe, err := spate.Open(ctx, p.Options)
	if err != nil {
		return err
	}
	ends := pipe.Endpoints()
	if a.quiet || !terminal(a.stdout) {
		ends.ConnectionString, ends.TLSConnectionString = withoutKey(ends.ConnectionString), withoutKey(ends.TLSConnectionString)
	}
	if _, err := a.stdout.Write(readyText(p, ends, pipe.Status().GoneHubs, again)); err != nil {
		log.Warn("printing what to try", "err", err)
	}
	tellSystemd(log, "READY=1")

	show, stop := context.WithCancel(ctx)
	defer stop()
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		line.run(show, pipe.Status)
	}()
	ended := make(chan error, 1)
	go func() { ended <- pipe.Run(ctx) }()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if w != nil && len(w.files) > 0 {
			w.reload, w.say = pipe.Reload, line.say
			w.warn = func(text string) { fmt.Fprintln(line, text) }
			w.run(show)
		}
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		tellSystemd(log, "STOPPING=1")
		line.say("stopping: finishing what was accepted, saving checkpoints (once more Ctrl-C: stop at once)")
		select {
		case err = <-ended:
		case <-time.After(drain):
			return fmt.Errorf("the pipeline did not stop within %s", drain)
		}
	}
	stop()
	<-shown
	<-watched
	if e := pipe.Close(); err == nil {
		err = e
	}
	if err == nil {
		line.say("stopped; the next start goes on from here")
	}
	return err
}

// readyText says where everything is and what to try.
func readyText(p *config.Pipeline, e spate.Endpoints, gone []string, again func(verb string) string) []byte {
	o := &p.Options
	var text bytes.Buffer
	out := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	out("Spate runs %s.", o.Name)
	switch p.Kind {
	case config.BuiltIn:
		out("No pipeline was found here: this is the built-in example. It opens loopback ports only and writes only below %s.", shortPath(o.Dir))
	case config.Derived:
		out("There is no spate.yaml: jobs, hubs and tables come from the .asaql scripts in %s.", shortPath(p.Path))
	default:
		out("Pipeline: %s", shortPath(p.Path))
	}
	out("")
	row := func(name, value string) {
		if value != "" {
			out("  %-18s %s", name, value)
		}
	}
	row("connection string", e.ConnectionString)
	row("with TLS", e.TLSConnectionString)
	row("CA certificate", shortPath(e.CAFile))
	row("AMQP", e.AMQP)
	row("AMQP over TLS", e.AMQPS)
	row("Kafka", e.Kafka)
	if e.HTTP != "" {
		row("console", "http://"+e.HTTP+"  (/metrics, /healthz, /api/status)")
	}
	row("data", shortPath(o.Dir))
	row("tables", shortPath(e.TablesDir))
	for _, n := range o.Notify {
		row("alerts go to", strings.Join(receivers(o, n), ", "))
	}
	if len(gone) > 0 {
		out("\nNot in the pipeline any more, and still there with their events:")
		for _, name := range gone {
			out("  hub %s; to delete it: %s %s", name, again("hub delete"), shellWord(name))
		}
	}
	if hub := producerHub(o); hub != "" && e.ConnectionString != "" {
		out("\nFor a producer of your own:")
		out("  export EVENT_HUB_CONNECTION_STRING=\"$(%s)\"", again("connection-string"))
		out("  export EVENT_HUB_NAME='%s'", hub)
	}
	out("\nTry in another terminal, in this folder:")
	if len(o.Tables) > 0 {
		t := o.Tables[len(o.Tables)-1]
		out("  %s \"SELECT TOP 5 * FROM %s.%s\"", again("query"), t.Database, t.Name)
	}
	if len(o.Jobs) == 1 {
		out("  %s --metric InputEvents,OutputEvents,Errors --interval PT1M", again("metrics list"))
	} else if len(o.Hubs) > 0 {
		out("  %s --metric IncomingMessages --interval PT1M", again("metrics list"))
	}
	if o.Simulate == nil && len(o.Hubs) > 0 {
		out("  %s --scenario overheating --interval 1s", again("simulate"))
	}
	out("\nCtrl-C stops it; the next start goes on where it stopped.")
	return text.Bytes()
}

// receivers are the places that a notifier delivers to; URLs may hold secrets.
func receivers(o *pipeline.Options, n pipeline.Notify) []string {
	var to []string
	for _, g := range o.ActionGroups {
		if g.Disabled || !slices.Contains(n.ActionGroups, g.Name) {
			continue
		}
		for _, r := range g.Receivers {
			if r.File != "" {
				to = append(to, shortPath(r.File))
			} else {
				to = append(to, "the webhook "+r.Name)
			}
		}
	}
	return to
}

// producerHub is the hub that devices send to: the simulator's, or the first one that
// no job writes.
func producerHub(o *pipeline.Options) string {
	if o.Simulate != nil {
		return o.Simulate.Hub
	}
	written := map[string]bool{}
	for _, j := range o.Jobs {
		for _, out := range j.Outputs {
			written[strings.ToLower(out.Hub)] = true
		}
	}
	for _, h := range o.Hubs {
		if !written[strings.ToLower(h.Name)] {
			return h.Name
		}
	}
	return ""
}

// shortPath is path relative to the current folder where that is shorter.
func shortPath(path string) string {
	wd, err := os.Getwd()
	if err != nil || path == "" {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
		return "." + string(filepath.Separator) + rel
	}
	return path
}

// tellSystemd tells the service manager, if one waits.
func tellSystemd(log *slog.Logger, state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	c, err := net.Dial("unixgram", socket)
	if err == nil {
		_, err = c.Write([]byte(state))
		c.Close()
	}
	if err != nil {
		log.Warn("service manager not told", "err", err)
	}
}
