package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/datafolder"
)

// Exit codes.
const (
	done         = 0
	failed       = 1 // while running
	usage        = 2 // usage or configuration
	notFound     = 3
	noConnection = 4
	unauthorized = 5
	differs      = 6 // tests, assertions, --check
	timedOut     = 8
	interrupted  = 130
	pipeClosed   = 141 // as the shell says of a command that SIGPIPE ended
)

var errInterrupted = errors.New("interrupted")

// coded is an error with its exit code.
type coded struct {
	code int
	err  error
}

func (c coded) Error() string { return c.err.Error() }
func (c coded) Unwrap() error { return c.err }

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return coded{code, err}
}

// do wraps a verb: what comes out of it without a code failed while running. What
// comes out of cobra itself is wrong usage.
func do(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd, args)
		var c coded
		var ps config.Problems
		switch {
		case err == nil || errors.As(err, &c):
			return err
		case errors.As(err, &ps):
			return coded{usage, err}
		case errors.Is(err, datafolder.ErrLocked):
			return coded{usage, fmt.Errorf("E321 %w", err)}
		case errors.Is(err, datafolder.ErrCopied), errors.Is(err, datafolder.ErrBackup), errors.Is(err, datafolder.ErrBackingUp):
			return coded{usage, err}
		case errors.Is(err, syscall.EADDRINUSE):
			return coded{usage, fmt.Errorf("E307 %w (another port: server.*.port in the pipeline file, or --ports auto)", err)}
		case errors.Is(err, context.DeadlineExceeded):
			return coded{timedOut, err}
		}
		return coded{failed, err}
	}
}

// wrongUsage says where to read how a command is used.
func wrongUsage(cmd *cobra.Command, err error) error {
	return withCode(usage, fmt.Errorf("%w\nRun '%s --help' for usage.", err, cmd.CommandPath()))
}

// laterVerbs and laterFlags are known and not built.
var (
	laterVerbs = []string{"fmt", "alerts", "export", "import", "az", "deploy", "doctor", "top", "context", "init", "cheat"}
	laterFlags = []string{"set", "open", "print-config", "color", "yes", "sparkline", "reference", "function", "no-wait", "connection-string"}
)

// wrongFlag tells a flag that is yet to come from one that never will.
func wrongFlag(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if unknown && slices.Contains(laterFlags, name) {
		err = fmt.Errorf("--%s is not supported yet", name)
	}
	return wrongUsage(cmd, err)
}

// checkArgs has the mistakes in the arguments of a command, and of those below it, say so.
func checkArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return wrongUsage(cmd, err)
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		checkArgs(c)
	}
}

// noVerb is the check of the arguments of the root: any is a verb that does not exist.
func noVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if slices.Contains(laterVerbs, args[0]) {
		return fmt.Errorf("the verb %s is not supported yet", args[0])
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %s?)", near[0])
	}
	return fmt.Errorf("there is no verb %q%s", args[0], hint)
}

// exit prints err and returns the code of the process.
func (a *app) exit(ctx context.Context, err error) int {
	if err == nil {
		return done
	}
	if errors.Is(context.Cause(ctx), errInterrupted) && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.stderr, "spate: interrupted")
		return interrupted
	}
	var ps config.Problems
	var c coded
	switch {
	case errors.Is(err, errSaid):
	case errors.As(err, &ps):
		fmt.Fprintln(a.stderr, ps.Error())
	default:
		fmt.Fprintln(a.stderr, "spate: "+strings.TrimSpace(err.Error()))
	}
	if errors.As(err, &c) {
		return c.code
	}
	fmt.Fprintln(a.stderr, "Run 'spate help' for usage.")
	return usage
}

// errSaid is an error whose text is on the screen already.
var errSaid = errors.New("said already")
