package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"spate/pipeline"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolderOfScriptsIsAPipeline(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"first.asaql": "SELECT DeviceId, COUNT(*) AS n INTO clean FROM devices GROUP BY DeviceId, TumblingWindow(second, 5);\n" +
			"SELECT * INTO [hot-alerts] FROM devices WHERE Temperature > 80",
		"second.asaql": "SELECT * INTO [daily totals] FROM clean",
	})
	p, err := Load(Source{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	var hubs, tables []string
	for _, h := range p.Options.Hubs {
		hubs = append(hubs, h.Name)
	}
	for _, x := range p.Options.Tables {
		tables = append(tables, x.Name)
	}
	if p.Kind != Derived || len(hubs) != 3 || hubs[0] != "devices" || hubs[1] != "clean" || hubs[2] != "hot-alerts" {
		t.Errorf("%s, hubs %v", p.Kind, hubs)
	}
	if len(tables) != 1 || tables[0] != "daily_totals" {
		t.Errorf("tables %v", tables)
	}
	find := func(j pipeline.Job, alias string) pipeline.Output {
		for _, o := range j.Outputs {
			if o.Alias == alias {
				return o
			}
		}
		return pipeline.Output{}
	}
	jobs := p.Options.Jobs
	if len(jobs) != 2 || jobs[0].Name != "first" || find(jobs[0], "clean").Hub != "clean" || find(jobs[1], "daily totals").Table != "daily_totals" {
		t.Errorf("jobs %+v", jobs)
	}
}

func TestFolderWithoutPipeline(t *testing.T) {
	if _, err := Load(Source{Path: t.TempDir()}); !errors.Is(err, ErrNoPipeline) {
		t.Errorf("got %v, want ErrNoPipeline", err)
	}
}

func TestMistakeInAScriptOfAFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.asaql": "SELECT x\nINTO y\nFORM z\n"})
	_, err := Load(Source{Path: dir})
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 1 || ps[0].Line != 3 || ps[0].Code != "E400" || ps[0].File != filepath.Join(dir, "a.asaql") {
		t.Errorf("got %v", err)
	}
}
