package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"spate/config"
	"spate/console"
	"spate/monitor"
	"spate/simulator"
	"spate/workload/ingest"
)

// values gives what a flag or an argument may be, for the completion of shells. It is asked
// after the flags are read, and says nothing about a pipeline that cannot be read.
type values func(a *app) []string

// completions are what the shell offers for the first argument of a verb, or for a flag.
// Of a list between commas it offers the last one.
var completions = map[string]values{
	"job start":       (*app).jobNames,
	"job stop":        (*app).jobNames,
	"job explain":     (*app).jobNames,
	"deadletter show": (*app).jobNames,
	"deadletter drop": (*app).jobNames, "deadletter replay": (*app).jobNames,
	"bench": func(*app) []string { return workloads() },

	"connection-string --hub":       (*app).hubNames,
	"simulate --hub":                (*app).hubNames,
	"simulate --scenario":           (*app).scenarioNames,
	"simulate --via":                words("kafka", "amqp"),
	"bench --via":                   words("kafka", "amqp"),
	"bench --codec":                 words(ingest.Codecs...),
	"metrics list --metric":         (*app).metricNames,
	"metrics list --metrics":        (*app).metricNames,
	"metrics list --resource":       (*app).resourceNames,
	"metrics list --interval":       words("PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"),
	"metrics list --aggregation":    words("Average", "Count", "Maximum", "Minimum", "Total"),
	"query --database":              (*app).databaseNames,
	"eval --job":                    (*app).jobNames,
	"eval --policy":                 words("Adjust", "Drop"),
	"eval --error-policy":           words("Drop", "Stop"),
	"eval --runtime-error-policy":   words("fail", "skipToDeadLetter"),
	"eval --string-compare":         words("ordinal", "ignoreCase"),
	"eval --diagnostics":            words("json"),
	"up --ports":                    words("fixed", "auto"),
	"job start --output-start-mode": words("LastOutputEventTime", "JobStartTime", "CustomTime"),
	"job explain --format":          words("text", "json", "dot", "mermaid"),
	" --address":                    (*app).addresses,
	" --log-format":                 words("text", "json"),
}

// complete has the shells offer completions.
func (a *app) complete(root *cobra.Command) {
	for place, list := range completions {
		path, flag, isFlag := strings.Cut(place, "--")
		cmd, _, err := root.Find(strings.Fields(path))
		offer := func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if !isFlag && len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			head := typed[:strings.LastIndexByte(typed, ',')+1]
			return a.offer(list, head, typed[len(head):])
		}
		if isFlag && err == nil {
			err = cmd.RegisterFlagCompletionFunc(flag, offer)
		} else if err == nil {
			cmd.ValidArgsFunction = offer
		}
		if err != nil {
			panic(fmt.Sprintf("completion of %s: %v", place, err)) // there is no such verb or flag
		}
	}
	query, _, _ := root.Find([]string{"query"})
	query.ValidArgsFunction = a.completeSQL
}

// offer are the values that begin as typed, case apart, each behind head.
func (a *app) offer(list values, head, typed string) (found []string, _ cobra.ShellCompDirective) {
	for _, v := range list(a) {
		if len(v) >= len(typed) && strings.EqualFold(v[:len(typed)], typed) {
			found = append(found, head+v)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// known is the pipeline that the flags name, as far as it can be read.
func (a *app) known() *config.Pipeline {
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return &config.Pipeline{}
	}
	return p
}

func (a *app) hubNames() (names []string) {
	for _, h := range a.known().Options.Hubs {
		names = append(names, h.Name)
	}
	return names
}

// jobNames are the jobs of the file, and those that have left their folder.
func (a *app) jobNames() []string {
	o := &a.known().Options
	names, _ := jobFolders(o.Dir) // what cannot be read is not offered
	for _, j := range o.Jobs {
		names = append(names, j.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a *app) tableNames() (names []string) {
	for _, t := range a.known().Options.Tables {
		names = append(names, t.Database+"."+t.Name)
	}
	return names
}

func (a *app) databaseNames() (names []string) {
	for _, t := range a.known().Options.Tables {
		names = append(names, t.Database)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a *app) metricNames() (names []string) {
	for _, d := range monitor.Definitions() {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a *app) resourceNames() []string {
	names := []string{"namespace", "pipeline"}
	for _, h := range a.hubNames() {
		names = append(names, "eventhub/"+h)
	}
	for _, j := range a.known().Options.Jobs {
		names = append(names, "job/"+j.Name)
	}
	return names
}

func (a *app) scenarioNames() (names []string) {
	for _, s := range simulator.Scenarios() {
		names = append(names, string(s))
	}
	return names
}

func (a *app) addresses() []string {
	if i, err := console.ReadInstance(a.known().Options.Dir); err == nil && i.Addresses["console"] != "" {
		return []string{"http://" + i.Addresses["console"]}
	}
	return nil
}

// words are values that are always the same.
func words(list ...string) values { return func(*app) []string { return list } }

// completeSQL offers tables behind what was typed of a query.
func (a *app) completeSQL(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	head := typed[:strings.LastIndexAny(typed, " \t\n(,")+1]
	if len(args) > 0 || head == "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.offer((*app).tableNames, head, typed[len(head):])
}
