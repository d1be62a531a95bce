package suite

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The elements of a JUnit file, as the schemas of Ant and of Jenkins both take them: what
// neither of the two asks for, and one refuses, is left out.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Package    string          `xml:"package,attr"`
		ID         int             `xml:"id,attr"`
		Hostname   string          `xml:"hostname,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties junitProperties `xml:"properties"`
		Cases      []junitCase     `xml:"testcase"`
		Out        string          `xml:"system-out"`
		Err        string          `xml:"system-err"`
	}
	junitProperties struct {
		List []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes what became of tests as a JUnit file: a suite for each source. begin is
// when the run began.
func WriteJUnit(path string, begin time.Time, results []*Result) error {
	doc := junitSuites{}
	took := map[*Source]time.Duration{}
	at := map[*Source]int{}
	for _, r := range results {
		src := r.Test.Source
		i, known := at[src]
		if !known {
			i = len(doc.Suites)
			at[src] = i
			doc.Suites = append(doc.Suites, junitSuite{Name: xmlText(src.Name), Package: "spate", ID: i, Hostname: "localhost", Timestamp: begin.UTC().Format("2006-01-02T15:04:05")})
		}
		s := &doc.Suites[i]
		c := junitCase{Name: xmlText(r.Test.Name), ClassName: xmlText(src.Name), Time: seconds(r.Took)}
		for _, p := range r.Test.Policies { // a case has no properties in the schemas
			s.Properties.List = append(s.Properties.List, junitProperty{xmlText(r.Test.Name + ": " + p[0]), p[1]})
		}
		if r.Failed {
			first, _, _ := strings.Cut(r.Text, "\n")
			c.Failure = &junitFailure{Message: xmlText(first), Type: "failure", Text: xmlText(r.Text)}
			s.Failures++
		}
		s.Tests++
		took[src] += r.Took
		s.Time = seconds(took[src])
		s.Cases = append(s.Cases, c)
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return replaceFile(path, append([]byte(xml.Header), append(text, '\n')...))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

var notXML = regexp.MustCompile("[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")

// xmlText leaves out what XML cannot hold, the colours of terminals for one.
func xmlText(s string) string {
	return notXML.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "\uFFFD")
}

// summary is testResultSummary.json as Microsoft's tools write it.
type summary struct {
	Total, Passed, Failed int
	Script                string
	Results               []summaryResult
	Time                  string
}

type summaryResult struct {
	Name                                                                             string
	Status                                                                           int // 1: failed
	Time                                                                             string
	OutputMatched, OutputNotEqual, OutputMissing, OutputUnexpected, OutputUnrequired []summaryOutput
}

type summaryOutput struct{ OutputAlias, ExpectedOutput, Output string }

// WriteSummaries writes testResultSummary.json for each project that was tested, to a folder.
func WriteSummaries(dir string, results []*Result) error {
	of := map[*Source]*summary{}
	var order []*Source
	var took time.Duration
	for _, r := range results {
		src := r.Test.Source
		if src.project == nil {
			continue
		}
		s := of[src]
		if s == nil {
			s = &summary{Script: absolute(src.project.script)}
			of[src], order = s, append(order, src)
		}
		one := summaryResult{Name: r.Test.Name, Time: seconds(r.Took),
			OutputMatched: []summaryOutput{}, OutputNotEqual: []summaryOutput{}, OutputMissing: []summaryOutput{}, OutputUnexpected: []summaryOutput{}, OutputUnrequired: []summaryOutput{}}
		s.Total++
		if s.Passed++; r.Failed {
			one.Status = 1
			s.Passed--
			s.Failed++
		}
		for _, o := range r.Outputs {
			to := map[string]*[]summaryOutput{"Matched": &one.OutputMatched, "NotEqual": &one.OutputNotEqual, "Missing": &one.OutputMissing,
				"Unexpected": &one.OutputUnexpected, "Unrequired": &one.OutputUnrequired}[o.Verdict]
			*to = append(*to, summaryOutput{o.Alias, absolute(o.Expected), absolute(o.Got)})
		}
		took += r.Took
		s.Time = seconds(took)
		s.Results = append(s.Results, one)
	}
	var errs []error
	for i, src := range order {
		name := "testResultSummary.json"
		if i > 0 { // of several projects
			name = cmp.Or(notFileName.ReplaceAllString(src.Name, "_"), "project") + "." + name
		}
		text, err := json.MarshalIndent(of[src], "", "  ")
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err == nil {
			err = replaceFile(filepath.Join(dir, name), append(text, '\n'))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
