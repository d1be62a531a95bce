package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spate/pipeline"
	"spate/sql/plan"
)

// derive makes a pipeline of a folder that holds scripts and nothing else: one job per
// script, named after its file. What FROM reads is a hub; what INTO writes is a table,
// except that an alias that another script reads, or whose name speaks of alerts or
// hubs, is a hub.
func derive(src Source, dir string, scripts []string) (*Pipeline, error) {
	l := bareLoader(src, dir)
	r := l.reader

	slices.Sort(scripts)
	plans := map[string]*plan.Job{}
	reads := map[string]bool{}
	for _, file := range scripts {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a script: %w", err)
		}
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		if !jobName.form.MatchString(name) {
			r.problems = append(r.problems, Problem{File: file, Line: 1, Column: 1, Code: "E202", Severity: "error",
				Message: fmt.Sprintf("%q is not a name of a job", name), Hint: "name the file with " + jobName.want})
			continue
		}
		j := pipeline.Job{Name: name, Script: string(data), ScriptFile: file}
		l.o.Jobs = append(l.o.Jobs, j)
		l.jobs[name] = &jobPlaces{query: place{1, 1}, script: file, inputs: map[string]place{}, outputs: map[string]place{}}
		p, _, _ := l.compile(&j) // its mistakes are reported by checkScripts
		if p == nil {
			continue
		}
		plans[name] = p
		for _, in := range p.Inputs {
			reads[strings.ToLower(in.Name)] = true
			l.addHub(in.Name)
		}
	}
	for i := range l.o.Jobs {
		if p := plans[l.o.Jobs[i].Name]; p != nil {
			for _, out := range p.Outputs {
				l.addTarget(&l.o.Jobs[i], out.Name, reads)
			}
		}
	}
	l.checkScripts()
	p := &Pipeline{Kind: Derived, Path: dir, Options: l.o, Files: append([]string{dir}, scripts...)}
	p.autoPorts(src)
	if err := p.settle(r.problems); err != nil {
		return nil, err
	}
	return p, nil
}

// bareLoader holds the options of a file that says nothing.
func bareLoader(src Source, dir string) *loader {
	r := &reader{file: dir, env: src.Env}
	l := &loader{reader: r, folder: folder{dir: dir}, data: src.Data, jobs: map[string]*jobPlaces{}}
	fileKeys.read(l, r.parse([]byte("version: 1")), &l.o)
	r.src = "" // nobody has written that
	l.o.Listen.NextFree = true
	return l
}

func (l *loader) addHub(name string) {
	if l.findHub(name) == nil {
		l.o.Hubs = append(l.o.Hubs, pipeline.Hub{Name: name, Partitions: 4, Retention: 24 * time.Hour, Acknowledge: pipeline.AckSync})
	}
}

func (l *loader) addTarget(j *pipeline.Job, alias string, reads map[string]bool) {
	low := strings.ToLower(alias)
	if reads[low] || strings.Contains(low, "alert") || strings.Contains(low, "hub") {
		l.addHub(alias)
		return
	}
	l.addTable(j, alias)
}

// addTable sends the rows of an output to a table that is named after it.
func (l *loader) addTable(j *pipeline.Job, alias string) {
	if slices.ContainsFunc(j.Outputs, func(o pipeline.Output) bool { return strings.EqualFold(o.Alias, alias) }) {
		return
	}
	table := strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, alias)
	if !sqlName.form.MatchString(table) {
		table = "t_" + table
	}
	if l.findTable(table) == nil {
		db := l.o.Storage.Database
		l.o.Tables = append(l.o.Tables, pipeline.Table{Database: db, Name: table, Path: db + ".db/" + table})
	}
	j.Outputs = append(j.Outputs, pipeline.Output{Alias: alias, Table: table})
	l.jobs[j.Name].outputs[strings.ToLower(alias)] = place{1, 1}
}
