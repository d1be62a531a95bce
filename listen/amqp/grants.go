package amqp

import (
	"fmt"
	"strings"
	"time"

	"spate/access"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// grants are what a connection's tokens and keys allow, by audience; a newer
// token for an audience replaces the one before.
type grants map[string]access.Claims

func (g *grants) add(audience string, c access.Claims) bool {
	if *g == nil {
		*g = make(grants)
	}
	audience = strings.ToLower(audience)
	if _, again := (*g)[audience]; !again && len(*g) >= maxTokens {
		return false
	}
	(*g)[audience] = c
	return true
}

// cover reports whether a grant gives right on path, and whether any, with whatever rights,
// covers path at all; those that are over do not.
func (g grants) cover(path string, right access.Rights, over func(access.Claims) bool) (allowed, covered bool) {
	for _, c := range g {
		if over(c) || !c.Covers(path, access.Any) {
			continue
		}
		covered = true
		if c.Rights.Has(right) {
			return true, true
		}
	}
	return false, covered
}

// authorize reports why path must not be used; byGrant says that a token or key
// allows it, so that its end matters.
func (c *conn) authorize(path string, right access.Rights) (byGrant bool, refused *wire.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	allowed, covered := c.grants.cover(path, right, c.over(c.s.o.Clock()))
	switch {
	case allowed:
		return true, nil
	case covered:
		return false, missingClaim(right)
	case len(c.grants) > 0 || c.s.o.RequireAuth:
		return false, missingClaim(right)
	}
	return false, nil
}

// over tells the grants that have ended at now, or whose policy has gone.
func (c *conn) over(now time.Time) func(access.Claims) bool {
	return func(g access.Claims) bool { return g.Expired(now) || !c.s.o.Rules.Holds(g) }
}

// expired returns the links that no grant covers any more. c.mu is held.
func (c *conn) expired(now time.Time) []*link {
	over, any := c.over(now), false
	for _, g := range c.grants {
		any = any || over(g)
	}
	if !any {
		return nil
	}
	var lost []*link
	for _, s := range c.sessions {
		for _, l := range s.links {
			if !l.byGrant || l.detached {
				continue
			}
			if allowed, _ := c.grants.cover(l.addr.path, l.right, over); !allowed {
				lost = append(lost, l)
			}
		}
	}
	for audience, g := range c.grants {
		if over(g) && len(c.grants) > 1 {
			delete(c.grants, audience)
		}
	}
	return lost
}

// putToken verifies a token and keeps what it allows.
func (c *conn) putToken(token, audience string) (status int32, text string) {
	switch {
	case !access.IsToken(token):
		return 401, "InvalidToken: Only shared access signatures are supported."
	case len(audience) > maxAudience:
		return 400, "The name of the token's audience is too long."
	}
	claims, err := c.s.o.Rules.VerifyToken(token, audience, c.s.o.Clock())
	if err != nil {
		rule := access.TokenRule(token)
		if c.s.o.RequireAuth || rule == "" || c.s.o.Rules.Known(rule) {
			c.log.Info("refused token", "rule", limit.Name(rule), "err", limit.Name(err.Error()))
			return 401, err.Error() + "." + c.s.tail(nil)
		}
		claims = access.Claims{Rule: rule, Rights: access.Manage, Scope: access.Path(audience)}
	}
	if !c.grant(audience, claims) {
		return 403, fmt.Sprintf("The connection has %d tokens.", maxTokens)
	}
	return 202, "Accepted"
}

// grant keeps what a token or key allows; false: there are too many.
func (c *conn) grant(audience string, claims access.Claims) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.grants.add(audience, claims) {
		return false
	}
	c.shown = true
	return true
}
