package spate

import (
	"context"
	"fmt"
	"slices"

	"spate/access"
	"spate/listen"
	"spate/pipeline"
)

// policies are the shared access policies of the namespace.
type policies struct {
	dir    string
	listen pipeline.Listen // as it was opened
	access *access.Rules
}

func openPolicies(o pipeline.Options) (*policies, error) {
	if err := listen.CheckPlaintext(o.Listen, o.Auth); err != nil {
		return nil, err
	}
	rules, err := listen.Policies(o.Dir, o.Auth)
	if err != nil {
		return nil, err
	}
	p := &policies{dir: o.Dir, listen: o.Listen}
	p.access, err = access.NewRules(rules...)
	return p, err
}

// Check implements room. Whether policies go together is seen when they are taken.
func (p *policies) Check(o pipeline.Options) error {
	for _, r := range o.Auth.Rules {
		if _, err := access.ParseRights(r.Rights...); err != nil {
			return fmt.Errorf("access policy %s: %w", r.Name, err)
		}
	}
	return listen.CheckPlaintext(p.listen, o.Auth)
}

// Reload implements room. Who was let in by a policy that is gone, or by a key that it no
// longer has, is out as if a token had ended.
func (p *policies) Reload(_ context.Context, o pipeline.Options) ([]string, error) {
	rules, err := listen.Policies(p.dir, o.Auth)
	if err == nil {
		if slices.Equal(rules, p.access.List()) {
			return nil, nil
		}
		err = p.access.Replace(rules...)
	}
	if err != nil {
		return nil, fmt.Errorf("the authorization rules stay as they were: %w", err)
	}
	return []string{"authorization rules"}, nil
}

// rootKey is the primary key of the root policy.
func (p *policies) rootKey() string { return listen.RootKey(p.access.List()) }
