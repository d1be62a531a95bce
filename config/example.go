package config

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"spate/examples"
)

// Example is the built-in pipeline. It writes only below the data folder: src.Data,
// else ./data in a folder that holds nothing but that, else ./spate-example.
func Example(src Source) (*Pipeline, error) {
	dir := src.Data
	if dir == "" {
		at := cmp.Or(src.Path, ".")
		bare, err := bareFolder(at)
		if err != nil {
			return nil, err
		}
		dir = resolvePath(at, "spate-example")
		// Files that came beside an earlier data folder do not move it, unless they are a
		// pipeline: then the folder is that one's.
		_, err = os.Stat(resolvePath(at, "data/LOCK"))
		if bare || err == nil && !holdsPipeline(at) {
			dir = resolvePath(at, "data")
		}
	}
	read := func(name string) ([]byte, error) { return fs.ReadFile(examples.Files, path.Join("telemetry", name)) }
	data, err := read("spate.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the built-in example: %w", err)
	}
	src.Data = dir
	p, err := loadBytes(src, "example/spate.yaml", data, folder{dir: dir, read: read})
	if err != nil {
		return nil, err
	}
	p.Kind, p.Path = BuiltIn, ""
	// With a file a taken port is an error, because addresses must be stable; the example just moves on.
	p.Options.Listen.NextFree = true
	for i := range p.Options.Jobs {
		p.Options.Jobs[i].ScriptFile = "telemetry-processing.asaql"
	}
	return p, nil
}

// holdsPipeline says whether Load finds a pipeline in dir.
func holdsPipeline(dir string) bool {
	for _, pattern := range []string{"spate.yaml", "spate.yml", "*.asaql", "asaproj.json", "*.asaproj"} {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// bareFolder says whether dir holds nothing but an earlier data folder and dot files.
func bareFolder(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Name() != "data" && !strings.HasPrefix(e.Name(), ".") {
			return false, nil
		}
	}
	return true, nil
}
