package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// listForms are the forms of verbs that list things.
var listForms = []string{"table", "json", "tsv"}

// printList prints a list in one of listForms: all as JSON, or what lines writes, whose
// cells are between tabs, under a head.
func (a *app) printList(form string, all any, head string, lines func(out io.Writer)) error {
	if form == "json" {
		return a.printJSON(all)
	}
	var out interface {
		io.Writer
		Flush() error
	} = bufio.NewWriter(a.stdout)
	if form == "table" {
		out = tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	}
	fmt.Fprintln(out, head)
	lines(out)
	return out.Flush()
}

func (a *app) printJSON(v any) error { return writeJSON(a.stdout, v) }

// writeJSON writes v as JSON for people and programs.
func writeJSON(w io.Writer, v any) error {
	data, err := marshal(v)
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// marshal indents and leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
