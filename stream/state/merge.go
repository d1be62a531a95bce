package state

import (
	"bytes"
	"io"
)

// merger reads several files as one map.
type merger struct {
	files []*fileReader  // oldest first
	step  string         // of the entries that come next
	spans [][][]keyRange // per file and span of groups: the ranges not yet passed
}

func openMerger(files []io.Reader) (*merger, error) {
	m := &merger{spans: make([][][]keyRange, len(files))}
	for _, r := range files {
		f, err := openFile(r)
		if err != nil {
			return nil, err
		}
		m.files = append(m.files, f)
	}
	return m, nil
}

// nextStep goes to the least step that some file has; false behind the last.
func (m *merger) nextStep() bool {
	m.step = ""
	for _, f := range m.files {
		if f.step != "" && (m.step == "" || f.step < m.step) {
			m.step = f.step
		}
	}
	for i, f := range m.files {
		m.spans[i] = nil
		if f.step == m.step {
			m.spans[i] = spansOf(f.ranges)
		}
	}
	return m.step != ""
}

// spansOf cuts the ranges of a file into lists of one span of groups each.
func spansOf(ranges []keyRange) [][]keyRange {
	var out [][]keyRange
	for i, r := range ranges {
		if i == 0 || r.first != ranges[i-1].first || r.last != ranges[i-1].last {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], r)
	}
	return out
}

// next gives the changes of the step in key order: for each key that of the newest
// file, if no newer file deletes a range that holds it. It reports false at the end
// of the step. What visit gets lives during the call.
func (m *merger) each(visit func(c *change) error) error {
	for {
		newest := -1
		for i, f := range m.files {
			if f.step == m.step && f.more && (newest < 0 || bytes.Compare(f.next.key, m.files[newest].next.key) <= 0) {
				newest = i
			}
		}
		if newest < 0 {
			return m.leave()
		}
		c := m.files[newest].next
		if c.gone || !m.deleted(newest, &c) {
			if err := visit(&c); err != nil {
				return err
			}
		}
		key := c.key
		for i, f := range m.files {
			if i != newest && f.step == m.step && f.more && bytes.Equal(f.next.key, key) {
				if err := f.advance(); err != nil {
					return err
				}
			}
		}
		if err := m.files[newest].advance(); err != nil {
			return err
		}
	}
}

// deleted reports whether a file newer than i deletes a range that holds c. Keys come
// in ascending order, so each list of ranges is walked once.
func (m *merger) deleted(i int, c *change) bool {
	for k := i + 1; k < len(m.files); k++ {
		if m.files[k].step != m.step {
			continue
		}
		for n := range m.spans[k] {
			rs := &m.spans[k][n]
			for len(*rs) > 0 && (*rs)[0].to != nil && bytes.Compare((*rs)[0].to, c.key) <= 0 {
				*rs = (*rs)[1:]
			}
			if len(*rs) > 0 && (*rs)[0].has(c) {
				return true
			}
		}
	}
	return false
}

// leave goes on behind the step in every file that has it.
func (m *merger) leave() error {
	for _, f := range m.files {
		if f.step == m.step {
			if err := f.nextStep(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Scan calls visit for every entry of the files, oldest first, read as one map: step
// by step, in key order. A file with a method Name is named in the errors of reading it.
func Scan(files []io.Reader, visit func(step string, e Entry) error) error {
	m, err := openMerger(files)
	if err != nil {
		return err
	}
	for m.nextStep() {
		step := m.step
		err := m.each(func(c *change) error {
			if c.gone {
				return nil
			}
			return visit(step, Entry{Key: c.key, Group: c.group, Value: c.value})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Merge writes one file that reads as the files, oldest first, do: a new base. Steps
// for which keep is false are left out.
func Merge(to io.Writer, files []io.Reader, keep func(step string) bool) error {
	m, err := openMerger(files)
	if err != nil {
		return err
	}
	w := newFileWriter(to)
	for m.nextStep() {
		began := false
		kept := keep(m.step)
		err := m.each(func(c *change) error {
			if c.gone || !kept {
				return nil
			}
			if !began {
				began = true
				w.step(m.step, nil)
			}
			w.entry(c)
			return w.err
		})
		if err != nil {
			return err
		}
	}
	return w.close()
}
