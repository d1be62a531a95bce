package config

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// fields is a map in the order in which it is printed; empty values are left out.
type fields struct{ items yaml.MapSlice }

func (f *fields) add(key string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case string:
		if v == "" {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case *fields:
		if v == nil || len(v.items) == 0 {
			return
		}
		value = v.items
	case time.Duration:
		value = FormatDuration(v)
	}
	f.items = append(f.items, yaml.MapItem{Key: key, Value: value})
}

// always adds a map that may be empty.
func (f *fields) always(key string, value *fields) {
	f.items = append(f.items, yaml.MapItem{Key: key, Value: value.items})
}

// Print writes the effective configuration of p as a pipeline file, with *** for
// secrets.
func Print(w io.Writer, p *Pipeline) error {
	top := fileKeys.show(p, &p.Options)
	data, err := yaml.MarshalWithOptions(top.items, yaml.IndentSequence(true))
	if err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	text := string(data)
	for _, s := range p.Secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	_, err = io.WriteString(w, text)
	return err
}
