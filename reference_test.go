package spate

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/pipeline"
)

// lines keeps what a log says.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A pipeline joins the events of a hub with a file. A row that cannot be read is counted; a
// changed file joins the events behind it, and goes on to do so over a restart without it.
func TestReferenceDataOfAPipeline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sites.csv")
	write(t, path, "id,name\n1,north\n2,\"broken\n")
	log := new(lines)
	o := pipeline.Options{
		Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil)),
		Hubs:   []pipeline.Hub{{Name: "in", Partitions: 2}},
		Tables: []pipeline.Table{{Name: "o"}},
		Jobs: []pipeline.Job{{
			Name: "j", Script: "CREATE TABLE sites (id bigint, name nvarchar(max)); SELECT i.n, s.name INTO o FROM [in] i LEFT JOIN sites s ON i.site = s.id", CheckpointInterval: 20 * time.Millisecond,
			Inputs:  []pipeline.Input{{Alias: "sites", Reference: true, Path: path, Format: "csv", Refresh: 20 * time.Millisecond}},
			Outputs: []pipeline.Output{{Alias: "o", Table: "o"}},
		}},
	}
	sent := 0
	send := func(p *testPipeline, want string) {
		t.Helper()
		sent++
		p.send("in", fmt.Sprintf(`{"n":%d,"site":1}`, sent))
		until(t, "a row", func() bool { return len(p.rowsOf("o")) == sent })
		for _, r := range p.rowsOf("o") {
			if r["n"] == int64(sent) && r["name"] != want {
				t.Errorf("row %v, want the name %s", r, want)
			}
		}
	}
	p := run(t, o)
	p.runs()
	send(p, "north")
	if n := p.counter("DeserializationError", "JobName", "j", "LogicalName", "sites"); n != 1 {
		t.Errorf("%d rows of reference data are counted as bad, want 1", n)
	}
	write(t, path, "id,name\n1,south\n")
	until(t, "the new file", func() bool { return log.has("a snapshot of reference data comes into effect") })
	send(p, "south")
	p.stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p = run(t, o)
	p.runs()
	send(p, "south")
	if !log.has("reference data cannot be looked at again") {
		t.Error("nothing says that the file has gone")
	}
}

// A job whose reference data is not there does not start, and says which and why.
func TestReferenceDataThatIsNotThere(t *testing.T) {
	o := pipeline.Options{
		Dir: t.TempDir(), Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}}, Tables: []pipeline.Table{{Name: "o"}}, Log: slog.New(slog.DiscardHandler),
		Jobs: []pipeline.Job{{
			Name: "j", Script: "SELECT i.n INTO o FROM [in] i JOIN sites s ON i.site = s.id",
			Inputs:  []pipeline.Input{{Alias: "sites", Reference: true, Path: filepath.Join(t.TempDir(), "sites.json"), Format: "json"}},
			Outputs: []pipeline.Output{{Alias: "o", Table: "o"}},
		}},
	}
	p, err := Open(t.Context(), o)
	if err == nil {
		t.Fatal("it starts; closing it: ", p.Close())
	}
	for _, part := range []string{"job j", "reading the reference data of input sites", "sites.json: no such file"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q in it", err, part)
		}
	}
}

// A job joins events with the table that another job writes, and with what comes into it.
func TestReferenceDataInATable(t *testing.T) {
	log := new(lines)
	o := pipeline.Options{
		Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil)),
		Hubs: []pipeline.Hub{{Name: "in", Partitions: 1}, {Name: "names", Partitions: 1}},
		Tables: []pipeline.Table{
			{Name: "sites", Columns: []pipeline.TableColumn{{Name: "id", Type: "long"}, {Name: "name", Type: "string"}}}, {Name: "o"},
		},
		Jobs: []pipeline.Job{
			{Name: "fill", Script: "SELECT id, name INTO sites FROM names", CheckpointInterval: 20 * time.Millisecond, Outputs: []pipeline.Output{{Alias: "sites", Table: "sites"}}},
			{Name: "j", Script: "SELECT i.n, s.name INTO o FROM [in] i JOIN sites s ON i.site = s.id", CheckpointInterval: 20 * time.Millisecond,
				Inputs:  []pipeline.Input{{Alias: "sites", Reference: true, Table: "sites", Refresh: 20 * time.Millisecond}},
				Outputs: []pipeline.Output{{Alias: "o", Table: "o"}}},
		},
	}
	p := run(t, o)
	p.runs()
	p.send("names", `{"id":1,"name":"north"}`)
	until(t, "the row of the site", func() bool { return log.has("a snapshot of reference data comes into effect") })
	p.send("in", `{"n":1,"site":1}`)
	until(t, "a row", func() bool { return len(p.rowsOf("o")) == 1 })
	if r := p.rowsOf("o")[0]; r["name"] != "north" {
		t.Errorf("row %v", r)
	}
}
