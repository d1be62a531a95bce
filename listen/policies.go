package listen

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

// Policies are the shared access policies of a namespace, with that of the root. Keys that
// a does not give are generated once and kept in the data folder, readable by its owner
// alone.
func Policies(dir string, a pipeline.Auth) ([]access.Rule, error) {
	path := filepath.Join(dir, "keys.json")
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
	rules := a.Rules
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
		p := access.Rule{Name: r.Name, Primary: r.PrimaryKey, Secondary: r.SecondaryKey, Rights: rights, Hub: r.Hub}
		if p.Primary == "" {
			id := r.Hub + "/" + r.Name
			if keys[id] == "" {
				keys[id] = access.NewKey()
				fresh = true
			}
			p.Primary = keys[id]
		}
		if a.EmulatorKey && r.Name == access.RootRule && p.Secondary == "" {
			p.Secondary = access.EmulatorKey
		}
		out = append(out, p)
	}
	if fresh {
		raw, err := json.MarshalIndent(keys, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("encoding the keys: %w", err)
		}
		if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
			return nil, fmt.Errorf("writing the keys: %w", err)
		}
		if err := os.Rename(path+".new", path); err != nil { // all keys are there, or those before
			return nil, fmt.Errorf("writing the keys: %w", err)
		}
	}
	return out, nil
}

// CheckPlaintext refuses plain listeners beyond loopback where a stranger may know a key, or
// needs none.
func CheckPlaintext(l pipeline.Listen, a pipeline.Auth) error {
	exposed := ""
	for _, addr := range []string{l.AMQP, l.Kafka, l.Health} {
		if addr != "" && !loopback(addr) {
			exposed = addr
		}
	}
	if exposed == "" {
		return nil
	}
	var given []access.Rule
	for _, r := range a.Rules {
		given = append(given, access.Rule{Name: r.Name, Primary: r.PrimaryKey, Secondary: r.SecondaryKey, Hub: r.Hub})
	}
	err := access.CheckGiven(given)
	switch {
	case l.KafkaAnonymous:
		err = errors.New("Kafka lets clients in that do not authenticate")
	case a.EmulatorKey:
		err = errors.New("the key of Microsoft's emulator is accepted")
	}
	if err != nil {
		return fmt.Errorf("listening without TLS on %s: %w", exposed, err)
	}
	return nil
}

// RootKey is the primary key of the root policy.
func RootKey(rules []access.Rule) string {
	for _, r := range rules {
		if r.Name == access.RootRule {
			return r.Primary
		}
	}
	return ""
}
