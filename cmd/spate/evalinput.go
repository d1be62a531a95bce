package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"spate/config"
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
	for _, s := range f.references {
		r, err := evalReference(s)
		if err != nil {
			return err
		}
		for _, have := range o.Inputs {
			if strings.EqualFold(have.Name, r.Name) {
				return fmt.Errorf("--reference %s: --input %s is given too", r.Name, have.Name)
			}
		}
		o.References = append(o.References, r)
	}
	return o.evalMocks()
}

// evalMocks reads the local inputs of a project where nothing else is given.
func (o *evalRun) evalMocks() error {
	for _, m := range o.mocks {
		if slices.ContainsFunc(o.Inputs, func(in eval.Input) bool { return strings.EqualFold(in.Name, m.Alias) }) ||
			slices.ContainsFunc(o.References, func(r eval.Reference) bool { return strings.EqualFold(r.Name, m.Alias) }) {
			continue
		}
		in, ref, err := suite.Mock(m)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", m.At.File, err)
		case ref != nil:
			o.References = append(o.References, *ref)
		default:
			o.Inputs = append(o.Inputs, *in)
		}
	}
	return nil
}

// evalReference reads NAME=FILE[,key=value ...].
func evalReference(s string) (r eval.Reference, err error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" || rest == "" {
		return r, fmt.Errorf("--reference %s: want NAME=FILE", s)
	}
	parts := strings.Split(rest, ",")
	r = eval.Reference{Name: name, Path: parts[0]}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		switch key {
		case "from":
			if r.From, err = config.ParseTime(value); err != nil {
				return r, fmt.Errorf("--reference %s: from: %w", name, err)
			}
		case "format":
			if value != "json" && value != "jsonl" && value != "csv" {
				return r, fmt.Errorf("--reference %s: format %s: want json, jsonl or csv", name, value)
			}
			r.Format = value
		case "delimiter":
			r.Delimiter = value
		case "header":
			if value != "true" && value != "false" {
				return r, fmt.Errorf("--reference %s: header %s: want true or false", name, value)
			}
			r.NoHeader = value == "false"
		default:
			return r, fmt.Errorf("--reference %s: unknown setting %q: want from, format, delimiter or header", name, key)
		}
	}
	if _, err := os.Stat(r.Path); err != nil {
		return r, fmt.Errorf("--reference %s: %w", name, err)
	}
	return r, nil
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
