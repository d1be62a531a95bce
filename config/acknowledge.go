package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"spate/config/asaproj"
	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/syntax"
)

// warningCodes are the codes of warnings that may be acknowledged.
var warningCodes = slices.Sorted(slices.Values(append([]string{"W505", lateNotSet, shortRetention, "W512", "W515", dropUnkept, sharedGroup, otherTarget, asaproj.PassedOver}, bind.WarningCodes...)))

// acknowledged is a list of codes of warnings of a job. Where they stand is kept with the
// other places of the job.
func acknowledged() value[pipeline.Job] {
	return value[pipeline.Job]{Key{Form: FormList, Words: warningCodes},
		func(l *loader, o *object, key string, j *pipeline.Job) {
			for e, s := range o.texts(key) {
				if !slices.Contains(warningCodes, s) {
					o.fail(e, "E206", didYouMean(s, warningCodes), "%q is not one of %s", s, strings.Join(warningCodes, ", "))
				}
				j.Acknowledged = append(j.Acknowledged, s)
				l.acknowledged = append(l.acknowledged, acknowledgement{s, placeOf(e.value), j})
			}
		},
		func(_ *Pipeline, j *pipeline.Job) any { return j.Acknowledged }}
}

// acknowledgement is one that the keys of a job hold.
type acknowledgement struct {
	code string
	at   place
	job  *pipeline.Job
}

// acknowledge takes away the warnings that the file says are known: those of a job that its
// key names, and those on the line of a comment, or right below it. What has nothing to
// acknowledge is a warning itself.
func (p *Pipeline) acknowledge(l *loader) {
	gone := map[int]bool{}
	apply := func(at place, path, code string, is func(w *Problem) bool) {
		idle := true
		for i := range p.Warnings {
			if w := &p.Warnings[i]; w.Code == code && is(w) {
				gone[i], idle = true, false
			}
		}
		if idle {
			l.fail(at, bind.IdleAcknowledgement, path, "", "there is no %s here that this could acknowledge", code)
		}
	}
	for _, a := range l.acknowledged {
		path := "jobs." + a.job.Name + "."
		apply(a.at, path+"acknowledge", a.code, func(w *Problem) bool { return strings.HasPrefix(w.Path, path) })
	}
	for _, c := range comments(l.src) {
		codes, ok := bind.Acknowledged(c.text)
		if ok && len(codes) == 0 {
			l.fail(c.at, bind.IdleAcknowledgement, "", "", "this names no warning: write spate: ignore W515")
		}
		for _, code := range codes {
			apply(c.at, "", code, func(w *Problem) bool { return w.File == l.file && w.Line == c.about })
		}
	}
	kept := p.Warnings[:0:0]
	for i, w := range p.Warnings {
		if !gone[i] {
			kept = append(kept, w)
		}
	}
	p.Warnings = kept
}

// projectCodes are the codes of warnings about the files of a project. JSON has no comments,
// so a comment anywhere in the script acknowledges them.
var projectCodes = []string{lateNotSet, otherTarget, asaproj.PassedOver}

// acknowledgeProject takes away what comments of the script acknowledge of a project.
func (l *loader) acknowledgeProject(script string) {
	for _, c := range syntax.Comments(script, syntax.ASA) {
		codes, _ := bind.Acknowledged(c.Text)
		l.problems = slices.DeleteFunc(l.problems, func(p Problem) bool { return slices.Contains(projectCodes, p.Code) && slices.Contains(codes, p.Code) })
	}
}

// comment is a comment of a YAML file.
type comment struct {
	at    place
	text  string // from its # on
	about int    // the line that it is about: its own, or the next if it stands alone
}

func comments(src string) (out []comment) {
	lines := strings.Split(src, "\n")
	found := map[place]string{}
	for _, t := range lexer.Tokenize(src) {
		if t.Type == token.CommentType && t.Position != nil {
			found[place{t.Position.Line, t.Position.Column}] = "#" + t.Value
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(found), func(a, b place) int { return a.line - b.line }) {
		c := comment{at, strings.TrimRight(found[at], "\r"), at.line}
		if at.line <= len(lines) && strings.HasPrefix(strings.TrimSpace(lines[at.line-1]), "#") {
			for c.about++; c.about <= len(lines); c.about++ {
				if s := strings.TrimSpace(lines[c.about-1]); s != "" && s[0] != '#' {
					break
				}
			}
		}
		out = append(out, c)
	}
	return out
}
