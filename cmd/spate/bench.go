package main

import "github.com/spf13/cobra"

// addBench adds the verbs of the workloads that are built in.
func (a *app) addBench(*cobra.Command) {}
