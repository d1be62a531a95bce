package suite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"spate/config"
	"spate/config/asaproj"
)

// ErrNoTests is returned for a path at which there are no tests.
var ErrNoTests = errors.New("there are no tests")

// Find finds the tests at a path: a pipeline file, a case as text, a project file, or a folder
// that holds a pipeline file, a project or cases, these also in its folder tests. load reads a pipeline
// file without looking at its scripts. projectTests is the test configuration of a project;
// empty: where the tools keep it.
func Find(path, projectTests string, load func(file string) (*config.Pipeline, error)) ([]*Source, error) {
	f := finder{load: load, tests: projectTests}
	st, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w at %s: there is no such file or folder", ErrNoTests, path)
	}
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		err = f.folder(path)
	} else {
		err = f.file(path)
	}
	if err != nil {
		return nil, err
	}
	if len(f.sources) == 0 {
		return nil, fmt.Errorf("%w at %s: tests: in spate.yaml, tests/*.txtar, or test/testConfig.json of a project", ErrNoTests, path)
	}
	return f.sources, nil
}

type finder struct {
	load    func(file string) (*config.Pipeline, error)
	tests   string
	sources []*Source
}

func (f *finder) file(path string) error {
	switch {
	case asaproj.IsProject(path):
		return f.project(path, path)
	case strings.EqualFold(filepath.Ext(path), ".txtar"):
		s, err := ofCase(path)
		if err != nil {
			return err
		}
		f.sources = append(f.sources, s)
		return nil
	}
	return f.pipeline(path)
}

func (f *finder) pipeline(path string) error {
	p, err := f.load(path)
	if err != nil {
		return err
	}
	if len(p.Options.Tests) > 0 {
		f.sources = append(f.sources, ofPipeline(path, p))
	}
	return nil
}

func (f *finder) project(name, file string) error {
	s, err := ofProject(name, file, f.tests)
	if err != nil {
		return err
	}
	if s != nil {
		f.sources = append(f.sources, s)
	}
	return nil
}

func (f *finder) folder(dir string) error {
	for _, name := range []string{"spate.yaml", "spate.yml"} {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			if err := f.pipeline(file); err != nil {
				return err
			}
			break
		}
	}
	project, err := asaproj.Find(dir)
	if err != nil {
		return err
	}
	if project != "" {
		if err := f.project(project, project); err != nil {
			return err
		}
	}
	for _, pattern := range []string{"*.txtar", "tests/*.txtar"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		slices.Sort(found)
		for _, file := range found {
			if err := f.file(file); err != nil {
				return err
			}
		}
	}
	return nil
}
