package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"spate/eval"
	"spate/suite"
)

// evalInputs reads the --input flags.
func (a *app) evalInputs(f *evalFlags, o *evalRun) error {
	stdin := false
	for _, s := range f.inputs {
		in, group, err := evalInput(s)
		if err != nil {
			return err
		}
		if group != "" {
			if o.groups == nil {
				o.groups = make(map[string]string)
			}
			o.groups[in.Name] = group
		}
		switch {
		case in.Path == "-":
			if stdin || f.query == "-" {
				return errors.New("standard input can be read once")
			}
			stdin, in.Path, in.Reader = true, "<stdin>", a.stdin
		case strings.HasPrefix(in.Path, "hub:"):
		default:
			if _, err := os.Stat(in.Path); err != nil {
				return fmt.Errorf("--input %s: %w", in.Name, err)
			}
		}
		for _, have := range o.Inputs {
			if strings.EqualFold(have.Name, in.Name) {
				return fmt.Errorf("--input %s is given twice", in.Name)
			}
		}
		o.Inputs = append(o.Inputs, in)
	}
	return o.evalMocks()
}

// evalMocks reads the local inputs of a project where nothing else is given.
func (o *evalRun) evalMocks() error {
	for _, m := range o.mocks {
		if slices.ContainsFunc(o.Inputs, func(in eval.Input) bool { return strings.EqualFold(in.Name, m.Alias) }) {
			continue
		}
		in, err := suite.MockInput(m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.At.File, err)
		}
		o.Inputs = append(o.Inputs, in)
	}
	return nil
}

// evalInput reads NAME=FILE[,key=value ...]. group is the consumer group of a hub.
func evalInput(s string) (in eval.Input, group string, err error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" || rest == "" {
		return in, "", fmt.Errorf("--input %s: want NAME=FILE", s)
	}
	parts := strings.Split(rest, ",")
	in = eval.Input{Name: name, Path: parts[0], Partitions: 1}
	hub := strings.HasPrefix(in.Path, "hub:")
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		switch {
		case key == "format":
			if value != "json" && value != "jsonl" && value != "csv" {
				return in, "", fmt.Errorf("--input %s: format %s is not supported yet", name, value)
			}
			in.Format = value
		case key == "delimiter":
			in.Delimiter = value
		case hub && key == "group":
			group = value
		case hub:
			return in, "", fmt.Errorf("--input %s: setting %q: a hub takes format, delimiter and group", name, key)
		case key == "header":
			if value != "true" && value != "false" {
				return in, "", fmt.Errorf("--input %s: header %s: want true or false", name, value)
			}
			in.NoHeader = value == "false"
		case key == "partition":
			in.PartitionField = value
		case key == "partitions":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 1024 {
				return in, "", fmt.Errorf("--input %s: partitions %s: want 1 to 1024", name, value)
			}
			in.Partitions = n
		default:
			return in, "", fmt.Errorf("--input %s: unknown setting %q: want format, delimiter, header, partition or partitions", name, key)
		}
	}
	return in, group, nil
}
