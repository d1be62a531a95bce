package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"spate/access"
	"spate/config"
	"spate/console"
)

func (a *app) connectionString() *cobra.Command {
	var tls bool
	var hub string
	cmd := &cobra.Command{
		Use:   "connection-string",
		Short: "The connection string of the running pipeline, for clients",
		Long:  "The connection string of the running pipeline, with its key: for clients, and for the variables that they read.",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&tls, "tls", false, "of the TLS port")
	cmd.Flags().StringVar(&hub, "hub", "", "with the name of a hub, as EntityPath")
	cmd.RunE = do(func(*cobra.Command, []string) error {
		form, err := a.form("text", "json")
		if err != nil {
			return err
		}
		p, err := a.load("", config.Source{NoScripts: true})
		if err != nil {
			return err
		}
		i, err := console.ReadInstance(p.Options.Dir)
		if errors.Is(err, fs.ErrNotExist) {
			return withCode(noConnection, fmt.Errorf("no instance runs on %s: start one with `spate up`", shortPath(p.Options.Dir)))
		}
		if err != nil {
			return err
		}
		kind, other := "emulator", "has no plain port: --tls is the string of the other"
		if tls {
			kind, other = "tls", "has no TLS port: `spate certs init` before its start opens it"
		}
		text := i.ConnectionStrings[kind]
		if text == "" {
			return withCode(noConnection, fmt.Errorf("the instance on %s %s", shortPath(p.Options.Dir), other))
		}
		c, err := access.ParseConnectionString(text)
		if err != nil {
			return err
		}
		c.EntityPath = hub
		text = c.Print()
		if form == "json" {
			return a.printJSON(map[string]string{"connectionString": text})
		}
		_, err = fmt.Fprintln(a.stdout, text)
		return err
	})
	return cmd
}

// withoutKey is a connection string as it may stand in logs.
func withoutKey(text string) string {
	c, err := access.ParseConnectionString(text)
	if err != nil {
		return "" // there is none: its port is closed
	}
	return c.String()
}
