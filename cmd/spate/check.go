package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"spate/config"
)

// several is a number of things.
func several(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (a *app) check() *cobra.Command {
	var strict, printed, schema bool
	cmd := &cobra.Command{
		Use:     "check [FILE|DIR]",
		Aliases: []string{"lint"},
		Short:   "Check the pipeline file and its queries",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings fail")
	cmd.Flags().BoolVar(&printed, "print", false, "print the effective configuration, secrets as ***")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of pipeline files, for editors")
	cmd.RunE = do(func(_ *cobra.Command, args []string) error {
		if schema {
			return config.Schema(a.stdout)
		}
		form, err := a.form("text", "json")
		if err != nil {
			return err
		}
		p, err := a.load(strings.Join(args, ""), config.Source{})
		var problems config.Problems
		if err != nil && !errors.As(err, &problems) {
			return err
		}
		if err == nil {
			problems = p.Warnings
		}
		bad := err != nil || strict && len(problems) > 0
		if form == "json" {
			if problems == nil {
				problems = config.Problems{}
			}
			if err := a.printJSON(problems); err != nil {
				return err
			}
			if bad {
				return withCode(usage, errSaid)
			}
			return nil
		}
		if len(problems) > 0 {
			fmt.Fprintln(a.stderr, problems.Error())
		}
		if bad {
			return withCode(usage, errSaid)
		}
		if printed {
			return config.Print(a.stdout, p)
		}
		o := &p.Options
		from := shortPath(p.Path)
		if p.Kind == config.BuiltIn {
			from = "the built-in example"
		}
		fmt.Fprintf(a.stdout, "%s is fine: %s, %s, %s, %s\n", from, several(len(o.Hubs), "hub"), several(len(o.Tables), "table"),
			several(len(o.Jobs), "job"), several(len(problems), "warning"))
		return nil
	})
	return cmd
}
