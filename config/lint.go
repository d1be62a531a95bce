package config

import (
	"fmt"
	"strings"
	"time"

	"spate/column"
	"spate/pipeline"
	"spate/sql/plan"
)

// Codes of warnings about jobs.
const (
	shortRetention = "W511"
	dropUnkept     = "W519"
	sharedGroup    = "W522"
)

// lintJob warns of what is allowed and most likely not meant.
func (l *loader) lintJob(j *pipeline.Job, places *jobPlaces, p *plan.Job) {
	path := "jobs." + j.Name
	if j.Policies.MaxLate != nil && !places.late && eventTime(p) {
		l.fail(places.query, lateNotSet, path+".eventsLateArrivalMaxDelay", "eventsLateArrivalMaxDelay: 5s, or infinite",
			"the query takes its time from events, and how late they may be is not set: here it is %s, and the service's API has no bound", FormatDuration(*j.Policies.MaxLate))
	}
	if j.Policies.DeadLetter.Disabled && j.Policies.OutputError != pipeline.Stop {
		l.fail(places.query, dropUnkept, path+".deadLetter", "deadLetter: { enabled: true }, or outputErrorPolicy: Stop",
			"rows that an output cannot hold are dropped, and not kept as dead letters")
	}
	span := stateSpan(p)
	late := usualLate
	if j.Policies.MaxLate != nil {
		late = *j.Policies.MaxLate
	}
	for _, in := range j.Inputs {
		h := l.findHub(in.Hub)
		if h == nil || h.Retention == pipeline.Forever || h.Retention == 0 || late < 0 {
			continue
		}
		if need := span + late + j.Policies.MaxDisorder; h.Retention < need {
			at, ok := places.inputs[strings.ToLower(in.Alias)]
			if !ok {
				at = places.query
			}
			l.fail(at, shortRetention, path+".inputs."+in.Alias, fmt.Sprintf("messageRetention: %s, or more", FormatDuration(need)),
				"the query looks back over %s, and the hub %s keeps events for %s: what begins anew cannot read all that it needs", FormatDuration(need), h.Name, FormatDuration(h.Retention))
		}
	}
}

// eventTime reports whether a query takes its time from events.
func eventTime(p *plan.Job) bool {
	for _, in := range p.Inputs {
		if in.Time != nil {
			return true
		}
	}
	return false
}

// stateSpan is how far the rows of a query look back, over all steps behind one another.
func stateSpan(p *plan.Job) time.Duration {
	of := map[plan.Node]column.Ticks{}
	var longest column.Ticks
	plan.Walk(p, func(n plan.Node) {
		var below column.Ticks
		for _, in := range n.Inputs() {
			below = max(below, of[in])
		}
		of[n] = below + n.Reach()
		longest = max(longest, of[n])
	})
	return time.Duration(longest) * 100
}

// lintGroups warns of jobs that read a hub in one consumer group: here each has positions of
// its own, and on the service they count as readers of the group.
func (l *loader) lintGroups() {
	first := map[string]*pipeline.Job{}
	for i := range l.o.Jobs {
		j := &l.o.Jobs[i]
		for _, in := range j.Inputs {
			key := strings.ToLower(in.Hub + "\x00" + in.ConsumerGroup)
			places := l.jobs[j.Name]
			switch other := first[key]; {
			case other == nil:
				first[key] = j
			case other != j && places.inputs[strings.ToLower(in.Alias)] != (place{}):
				l.fail(places.inputs[strings.ToLower(in.Alias)], sharedGroup, "jobs."+j.Name+".inputs."+in.Alias, "give each job a consumer group of its own",
					"the job %s reads the hub %s in the consumer group %s too: the service has few readers in a group", other.Name, in.Hub, in.ConsumerGroup)
			}
		}
	}
}
