package jobs

import (
	"fmt"
	"strings"

	"spate/pipeline"
)

// spec is all that a pipeline says of a job. Two that are deeply equal are one job.
type spec struct {
	job     pipeline.Job
	capture *pipeline.Capture // set: this, and not job
	tables  tables            // that it names and that are declared
}

func (s *spec) name() string {
	if s.capture != nil {
		return s.capture.JobName()
	}
	return s.job.Name
}

// specs are the jobs and captures of a pipeline, those that are disabled too.
func (r *Room) specs(p pipeline.Options) []*spec {
	declared := make(tables)
	for _, t := range p.Tables {
		t.Optimize, t.Vacuum = pipeline.Optimize{}, pipeline.Vacuum{} // nothing that a job does
		declared[strings.ToLower(t.FullName(r.o.Storage))] = t
	}
	names := func(s *spec, table string) {
		key := r.tableKey(table)
		if t, ok := declared[key]; ok && table != "" {
			s.tables[key] = t
		}
	}
	var out []*spec
	for _, j := range p.Jobs {
		j.Acknowledged = nil // of who reads warnings: a job that differs in it alone goes on
		s := &spec{job: j, tables: make(tables)}
		for _, o := range j.Outputs {
			names(s, o.Table)
		}
		for _, in := range j.Inputs {
			names(s, in.Table)
		}
		out = append(out, s)
	}
	for _, c := range p.Captures {
		s := &spec{capture: &c, tables: make(tables)}
		names(s, c.Table)
		out = append(out, s)
	}
	return out
}

// Written are the tables of a pipeline that its jobs and captures write.
func (r *Room) Written(p pipeline.Options) []pipeline.Table {
	names := make(map[string]bool)
	for _, j := range p.Jobs {
		for _, o := range j.Outputs {
			if o.Table != "" && !j.Disabled {
				names[r.tableKey(o.Table)] = true
			}
		}
	}
	for _, c := range p.Captures {
		names[r.tableKey(c.Table)] = true
	}
	var out []pipeline.Table
	for _, t := range p.Tables {
		if names[strings.ToLower(t.FullName(r.o.Storage))] {
			out = append(out, t)
		}
	}
	return out
}

// distinct refuses jobs that would share a folder of checkpoints.
func distinct(p pipeline.Options) error {
	seen := make(map[string]bool)
	for _, j := range p.Jobs {
		low := strings.ToLower(j.Name)
		if seen[low] {
			return fmt.Errorf("opening the jobs: the job %s is there twice", j.Name)
		}
		seen[low] = true
	}
	for _, c := range p.Captures {
		low := c.JobName()
		if seen[low] {
			return fmt.Errorf("opening the jobs: the capture of hub %s is a job of the name %s, and there is one already", c.Hub, low)
		}
		seen[low] = true
	}
	return nil
}

// partitions says how many partitions the hubs have that a job reads. A script that does
// not compile reads none.
func (r *Room) partitions(s *spec) map[string]int {
	var read []string
	if s.capture != nil {
		read = append(read, s.capture.Hub)
	} else if compiled, err := compile(s.job); err == nil {
		for _, in := range compiled.Inputs {
			read = append(read, s.job.Input(in.Name).Hub)
		}
	}
	out := make(map[string]int)
	for _, name := range read {
		if h, ok := r.o.Hubs.Hub(name); ok {
			out[strings.ToLower(name)] = h.Partitions()
		}
	}
	return out
}
