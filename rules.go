package spate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"spate/access"
	"spate/pipeline"
)

// openRules makes the shared access policies of the namespace. Keys that the
// options do not give are generated once and kept in the data folder, readable
// by its owner alone.
func openRules(o pipeline.Options) (*access.Rules, error) {
	path := filepath.Join(o.Dir, "keys.json")
	keys := make(map[string]string)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("reading the keys: %w", err)
	default:
		if err := json.Unmarshal(raw, &keys); err != nil {
			return nil, fmt.Errorf("reading the keys in %s: %w", path, err)
		}
	}
	rules := o.Auth.Rules
	root := false
	for _, r := range rules {
		root = root || r.Name == access.RootRule
	}
	if !root {
		rules = append([]pipeline.AuthRule{{Name: access.RootRule, Rights: []string{"Manage"}}}, rules...)
	}
	var out []access.Rule
	fresh := false
	for _, r := range rules {
		rights, err := access.ParseRights(r.Rights...)
		if err != nil {
			return nil, fmt.Errorf("opening access policy %s: %w", r.Name, err)
		}
		a := access.Rule{Name: r.Name, Primary: r.PrimaryKey, Secondary: r.SecondaryKey, Rights: rights, Hub: r.Hub}
		if a.Primary == "" {
			id := r.Hub + "/" + r.Name
			if keys[id] == "" {
				keys[id] = access.NewKey()
				fresh = true
			}
			a.Primary = keys[id]
		}
		if o.Auth.EmulatorKey && r.Name == access.RootRule && a.Secondary == "" {
			a.Secondary = access.EmulatorKey
		}
		out = append(out, a)
	}
	if fresh {
		raw, err := json.MarshalIndent(keys, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("encoding the keys: %w", err)
		}
		if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
			return nil, fmt.Errorf("writing the keys: %w", err)
		}
	}
	return access.NewRules(out...)
}

// rootKey is the primary key of the root policy.
func rootKey(o pipeline.Options) (string, error) {
	for _, r := range o.Auth.Rules {
		if r.Name == access.RootRule && r.PrimaryKey != "" {
			return r.PrimaryKey, nil
		}
	}
	raw, err := os.ReadFile(filepath.Join(o.Dir, "keys.json"))
	if err != nil {
		return "", fmt.Errorf("reading the keys: %w", err)
	}
	keys := make(map[string]string)
	if err := json.Unmarshal(raw, &keys); err != nil {
		return "", fmt.Errorf("reading the keys: %w", err)
	}
	return keys["/"+access.RootRule], nil
}
