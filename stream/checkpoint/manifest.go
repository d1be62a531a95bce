// Package checkpoint keeps the progress of a job: one manifest per epoch, whose
// creation is the point of no return, and the files of state that it names.
package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"spate/blob"
	"spate/column"
	"spate/connector"
)

// Version is the version of manifests.
const Version = 4

// Manifest is what a job has reached at the end of an epoch.
type Manifest struct {
	Version     int                 `json:"version"`
	Job         string              `json:"job"`
	ID          string              `json:"id"` // of the job from its manifest 0 on; its outputs know it by this
	Epoch       int64               `json:"epoch"`
	Incarnation string              `json:"incarnation"`
	Plan        string              `json:"plan"`              // fingerprint of the query
	Forms       string              `json:"forms,omitempty"`   // how outputs are shown at once; empty: none is
	Policy      Policy              `json:"policy"`            // by which the times of events were judged
	Steps       []string            `json:"steps,omitempty"`   // the names of all state of the query, in order
	Inputs      map[string]string   `json:"inputs,omitempty"`  // what stands behind each input
	Outputs     map[string]string   `json:"outputs,omitempty"` // and behind each output
	FirstOutput column.Ticks        `json:"firstOutput"`       // rows before it are not written
	StartFrom   column.Ticks        `json:"startFrom"`         // where a partition without a position begins; 0: the oldest event
	Since       Since               `json:"since,omitempty"`   // the same of inputs that came with a changed query
	Written     map[string]Written  `json:"written,omitempty"` // by output that ever got rows
	Positions   map[string][][]byte `json:"positions"`         // per source and partition; nil: nothing read yet
	Offsets     []connector.Offset  `json:"offsets,omitempty"` // of the partitions that brought events to this epoch
	References  References          `json:"references,omitempty"`
	State       []File              `json:"state,omitempty"` // oldest first; read as one map
	Notes       Notes               `json:"notes,omitempty"` // of this epoch, if they are small
	NotesKey    string              `json:"notesKey,omitempty"`
	CRC         string              `json:"crc"` // of the manifest's text, with zeros in this place; it stands last
}

// References are the snapshots that rows may join, by the name of the input and in the order
// in which they come into effect.
type References map[string][]Snapshot

// Since is a time by the name of an input.
type Since map[string]column.Ticks

// Written says how far an output is.
type Written struct {
	Epoch  int64  `json:"epoch"`            // newest that brought it rows
	Before int64  `json:"before,omitempty"` // the one before that
	Target string `json:"target,omitempty"` // identifies what was written; empty: not known yet
}

// Policy is the time policy of a job.
type Policy struct {
	Late     column.Ticks `json:"late"`
	Disorder column.Ticks `json:"disorder"`
	Drop     bool         `json:"drop,omitempty"`
}

// noCRC is what stands in the place of the checksum while it is computed.
const noCRC = "00000000"

// sealed is the text of a manifest with its checksum.
func (m *Manifest) sealed() ([]byte, error) {
	m.CRC = noCRC
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	sum := fmt.Sprintf("%08x", crc32.Checksum(raw, castagnoli))
	copy(raw[len(raw)-len(sum)-len(`"}`):], sum)
	return raw, nil
}

var errManifest = errors.New("the manifest is cut short or damaged")

// unsealed reads what sealed wrote. It changes raw.
func (m *Manifest) unsealed(raw []byte) error {
	if err := json.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("%w: %w", errManifest, err)
	}
	at := len(raw) - len(noCRC) - len(`"}`)
	if at < 0 || string(raw[at:]) != m.CRC+`"}` {
		return errManifest
	}
	copy(raw[at:], noCRC)
	if m.CRC != fmt.Sprintf("%08x", crc32.Checksum(raw, castagnoli)) {
		return errManifest
	}
	return nil
}

// File is one file of state.
type File struct {
	Key   string `json:"key"`
	Bytes int64  `json:"bytes"`
}

// Notes are what an epoch needs to be committed: what the outputs prepared, and the
// letters, by name.
type Notes map[string][]byte

// ErrFenced is returned by Save when another copy of the job has saved the epoch.
var ErrFenced = errors.New("another process runs this job")

// Log keeps the manifests of one job below a prefix of a store.
type Log struct {
	store  blob.Store
	prefix string
}

// NewLog returns the log of a job.
func NewLog(store blob.Store, prefix string) *Log {
	return &Log{store, strings.TrimSuffix(prefix, "/") + "/"}
}

func (l *Log) manifestKey(epoch int64) string {
	return fmt.Sprintf("%smanifest/%020d.json", l.prefix, epoch)
}

// Latest loads the newest manifest with its notes; nil if the job has none.
func (l *Log) Latest(ctx context.Context) (*Manifest, error) {
	last := ""
	for info, err := range l.store.List(ctx, l.prefix+"manifest/", "") {
		if err != nil {
			return nil, fmt.Errorf("listing the manifests of %s: %w", l.prefix, err)
		}
		if strings.HasSuffix(info.Key, ".json") {
			last = info.Key
		}
	}
	if last == "" {
		return nil, nil
	}
	raw, err := l.read(ctx, last)
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w: %w", last, errManifest, err)
	}
	if head.Version != Version {
		return nil, fmt.Errorf("reading manifest %s: it has version %d, this program writes and reads version %d: "+
			"give the job another name, or delete its folder %s to begin anew", last, head.Version, Version, l.prefix)
	}
	if err := m.unsealed(raw); err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", last, err)
	}
	if m.NotesKey == "" {
		return m, nil
	}
	if raw, err = l.read(ctx, m.NotesKey); err != nil {
		return nil, err
	}
	if m.Notes, err = decodeNotes(raw); err != nil {
		return nil, fmt.Errorf("reading the notes %s: %w", m.NotesKey, err)
	}
	return m, nil
}

func (l *Log) read(ctx context.Context, key string) ([]byte, error) {
	r, err := l.store.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", key, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return b, nil
}

// notesInside bounds notes that stand in the manifest itself.
const notesInside = 16 << 10

// Save writes the notes, where they are large, then the manifest. When it returns nil
// the epoch is decided. Of two copies of a job that save one epoch, one gets ErrFenced.
// The files of state that the manifest names must be there.
func (l *Log) Save(ctx context.Context, m *Manifest) error {
	m.Version = Version
	written := *m
	size := 0
	for name, b := range m.Notes {
		size += len(name) + len(b)
	}
	if size > notesInside {
		m.NotesKey = fmt.Sprintf("%snotes/%020d-%s", l.prefix, m.Epoch, m.Incarnation)
		if _, err := l.store.Create(ctx, m.NotesKey, m.Notes.reader()); err != nil {
			return fmt.Errorf("writing the notes %s: %w", m.NotesKey, err)
		}
		written.Notes, written.NotesKey = nil, m.NotesKey
	}
	raw, err := written.sealed()
	if err != nil {
		return fmt.Errorf("encoding manifest %d: %w", m.Epoch, err)
	}
	key := l.manifestKey(m.Epoch)
	_, err = l.store.Create(ctx, key, bytes.NewReader(raw))
	if errors.Is(err, blob.ErrExists) {
		return fmt.Errorf("saving epoch %d of job %s: %w", m.Epoch, m.Job, ErrFenced)
	}
	if err != nil {
		// The outcome is unknown: it is saved if it reads back as written.
		if got, readErr := l.read(ctx, key); readErr == nil && bytes.Equal(got, raw) {
			return nil
		}
		return fmt.Errorf("saving epoch %d of job %s: %w", m.Epoch, m.Job, err)
	}
	return nil
}

// Sweep deletes what the kept manifest does not need: older manifests, files of state and
// notes of its epoch and before that it does not name, and contents of snapshots. It is called only
// after Commit of that manifest. spare, if not empty, is a file under way to a later
// manifest.
func (l *Log) Sweep(ctx context.Context, keep *Manifest, spare string) error {
	var old []string
	current := l.manifestKey(keep.Epoch)
	for info, err := range l.store.List(ctx, l.prefix+"manifest/", "") {
		if err != nil {
			return fmt.Errorf("listing the manifests of %s: %w", l.prefix, err)
		}
		if info.Key < current {
			old = append(old, info.Key)
		}
	}
	named := map[string]bool{keep.NotesKey: true, spare: true}
	for _, f := range keep.State {
		named[f.Key] = true
	}
	next := fmt.Sprintf("%020d", keep.Epoch+1)
	for _, folder := range []string{"state/", "notes/"} {
		for info, err := range l.store.List(ctx, l.prefix+folder, "") {
			if err != nil {
				return fmt.Errorf("listing %s%s: %w", l.prefix, folder, err)
			}
			if !named[info.Key] && info.Key < l.prefix+folder+next {
				old = append(old, info.Key)
			}
		}
	}
	contents, err := l.sweepContents(ctx, keep)
	if err != nil {
		return err
	}
	if old = append(old, contents...); len(old) == 0 {
		return nil
	}
	return l.store.Delete(ctx, old...)
}
