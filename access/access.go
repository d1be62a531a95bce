// Package access decides who may do what: connection strings, shared access
// policies and their tokens, and the certificates that listeners use.
//
// Keys and tokens never appear in the String methods or the errors of this
// package.
//
// Stability: importable, not promised before 1.0.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Rights is a set of rights.
type Rights uint8

// The rights of a shared access policy.
const (
	Send Rights = 1 << iota
	Listen
	manage
)

// Manage is the right to administer; it includes the other two.
const Manage = manage | Send | Listen

// Any is satisfied by any right at all.
const Any Rights = 0

// Has reports whether r includes want. Any is included in every set that is
// not empty.
func (r Rights) Has(want Rights) bool {
	if want == Any {
		return r != 0
	}
	return r&want == want
}

// String lists the rights as a configuration writes them.
func (r Rights) String() string {
	if r.Has(Manage) {
		return "Manage,Send,Listen"
	}
	var names []string
	if r.Has(Send) {
		names = append(names, "Send")
	}
	if r.Has(Listen) {
		names = append(names, "Listen")
	}
	return strings.Join(names, ",")
}

// ParseRights reads a list of rights, ignoring case; Manage includes the others.
func ParseRights(names ...string) (Rights, error) {
	var r Rights
	for _, list := range names {
		for name := range strings.SplitSeq(list, ",") {
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "send":
				r |= Send
			case "listen":
				r |= Listen
			case "manage":
				r |= Manage
			default:
				return 0, fmt.Errorf("access: unknown right %q, want Send, Listen or Manage", name)
			}
		}
	}
	return r, nil
}

// RootRule is the name of the policy that every namespace has.
const RootRule = "RootManageSharedAccessKey"

// EmulatorKey is the key of the official emulator's connection string.
const EmulatorKey = "SAS_KEY_VALUE"

// NewKey makes a random key of the form that Azure gives out.
func NewKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// Rule is one shared access policy.
type Rule struct {
	Name      string
	Primary   string
	Secondary string // may be empty
	Rights    Rights
	Hub       string // the hub it belongs to; empty: the whole namespace
}

// String names the rule without its keys.
func (r Rule) String() string {
	scope := "the namespace"
	if r.Hub != "" {
		scope = "hub " + r.Hub
	}
	return fmt.Sprintf("%s (%s on %s)", r.Name, r.Rights, scope)
}

// GoString is String, so that no verb of fmt prints a key.
func (r Rule) GoString() string { return r.String() }

// Errors that a caller tells apart. The texts of the first three are what the
// SDKs look for.
var (
	ErrExpired   = errors.New("ExpiredToken")
	ErrSignature = errors.New("InvalidSignature")
	ErrAudience  = errors.New("InvalidAudience")
	ErrMalformed = errors.New("MalformedToken")
	ErrRight     = errors.New("Unauthorized access")
)

// Rules are the shared access policies of a namespace. The zero value has none
// and refuses everyone; methods may be called concurrently.
type Rules struct {
	changes atomic.Uint64 // how often there were others

	mu       sync.RWMutex // guards the fields below
	rules    []Rule
	emulator bool
}

// NewRules returns the given policies.
func NewRules(rules ...Rule) (*Rules, error) {
	r := new(Rules)
	return r, r.Replace(rules...)
}

// Replace puts other policies in the place of all there are: keys are rotated
// this way. Claims that were verified before hold as long as Holds says so.
func (r *Rules) Replace(rules ...Rule) error {
	seen := make(map[string]int)
	for _, rule := range rules {
		scope := strings.ToLower(rule.Hub)
		switch {
		case rule.Name == "":
			return errors.New("access: a policy has no name")
		case rule.Primary == "":
			return fmt.Errorf("access: policy %s has no primary key", rule.Name)
		case rule.Rights == 0:
			return fmt.Errorf("access: policy %s has no rights", rule.Name)
		case seen[scope+"\x00"+rule.Name] > 0:
			return fmt.Errorf("access: policy %s occurs twice", rule)
		}
		seen[scope+"\x00"+rule.Name]++
		if seen[scope]++; seen[scope] > 12 {
			return fmt.Errorf("access: more than 12 policies in one scope, the last is %s", rule)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = append([]Rule(nil), rules...)
	r.changes.Add(1)
	return nil
}

// CheckGiven refuses rules that do not all have a key which somebody chose, that of the root
// among them.
func CheckGiven(rules []Rule) error {
	root := false
	for _, r := range rules {
		root = root || r.Name == RootRule && r.Hub == ""
		switch {
		case r.Primary == "":
			return fmt.Errorf("the policy %s has no key of its own", r.Name)
		case r.Primary == EmulatorKey || r.Secondary == EmulatorKey:
			return fmt.Errorf("a key of the policy %s is that of Microsoft's emulator, which is published", r.Name)
		}
	}
	if !root {
		return fmt.Errorf("the policy %s has no key of its own", RootRule)
	}
	return nil
}

// AllowEmulatorKey says whether the published key of the official emulator is
// good for the root policy too. It is not unless this is called.
func (r *Rules) AllowEmulatorKey(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emulator = on
	r.changes.Add(1)
}

// List returns the policies, keys included.
func (r *Rules) List() []Rule {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return append([]Rule(nil), r.rules...)
}

// Known reports whether a policy of that name exists in any scope.
func (r *Rules) Known(name string) bool {
	for _, rule := range r.List() {
		if rule.Name == name {
			return true
		}
	}
	return r.emulatorKey(name)
}

func (r *Rules) emulatorKey(name string) bool {
	if r == nil {
		return false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.emulator && name == RootRule
}

// candidates returns the policies of that name that may speak for path, those
// of a hub first.
func (r *Rules) candidates(name, path string) []Rule {
	var hubs, namespace []Rule
	for _, rule := range r.List() {
		switch {
		case rule.Name != name:
		case rule.Hub == "":
			namespace = append(namespace, rule)
		case covers(rule.Hub, path):
			hubs = append(hubs, rule)
		}
	}
	if r.emulatorKey(name) {
		namespace = append(namespace, Rule{Name: name, Primary: EmulatorKey, Rights: Manage})
	}
	return append(hubs, namespace...)
}

// Claims are what a verified token or key allows.
type Claims struct {
	Rule    string // name of the policy
	Rights  Rights
	Scope   string    // path that the token is for; empty: the namespace
	Hub     string    // hub that the policy belongs to; empty: the namespace
	Expires time.Time // zero: never

	digest [sha256.Size]byte // of the key that was shown, or that signed
	seen   uint64            // changes of the rules, as it was verified
}

// proven are the claims of a policy, of whose keys one was shown; seen was read before the
// policy was.
func (r Rule) proven(key string, seen uint64) Claims {
	return Claims{Rule: r.Name, Rights: r.Rights, Hub: r.Hub, digest: sha256.Sum256([]byte(key)), seen: seen}
}

// Holds reports whether the policy that claims were verified with is there still, with the
// same key and no fewer rights. Claims that come from no policy hold.
func (r *Rules) Holds(c Claims) bool {
	if c.digest == [sha256.Size]byte{} || r == nil || c.seen == r.changes.Load() {
		return true
	}
	for _, rule := range r.candidates(c.Rule, c.Hub) {
		if rule.Hub == c.Hub && rule.Rights.Has(c.Rights) &&
			(sha256.Sum256([]byte(rule.Primary)) == c.digest || rule.Secondary != "" && sha256.Sum256([]byte(rule.Secondary)) == c.digest) {
			return true
		}
	}
	return false
}

// Allows reports whether the claims give right on all of hub.
func (c Claims) Allows(hub string, right Rights) bool { return c.Covers(hub, right) }

// Covers reports whether the claims give right on a path, such as
// hub/ConsumerGroups/g/Partitions/0.
func (c Claims) Covers(path string, right Rights) bool {
	return c.Rights.Has(right) && covers(c.Scope, path) && covers(c.Hub, path)
}

// Expired reports whether the claims have ended at now.
func (c Claims) Expired(now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }

// covers reports whether scope is path or a folder above it, ignoring case.
func covers(scope, path string) bool {
	if scope == "" {
		return true
	}
	if len(path) < len(scope) || !strings.EqualFold(path[:len(scope)], scope) {
		return false
	}
	return len(path) == len(scope) || path[len(scope)] == '/'
}

// VerifyKey checks the name and key of a policy, as SASL PLAIN of AMQP carries
// them. path narrows it to the policies that may speak for it; empty: all.
func (r *Rules) VerifyKey(name, key, path string) (Claims, error) {
	seen := r.seen()
	rules := r.candidates(name, path)
	if path == "" {
		for _, rule := range r.List() {
			if rule.Name == name && rule.Hub != "" {
				rules = append(rules, rule)
			}
		}
	}
	for _, rule := range rules {
		if sameSecret(rule.Primary, key) || sameSecret(rule.Secondary, key) {
			return rule.proven(key, seen), nil
		}
	}
	return Claims{}, fmt.Errorf("%w: The key of policy %q is wrong or the policy does not exist", ErrSignature, name)
}

// seen is how often there were other policies.
func (r *Rules) seen() uint64 {
	if r == nil {
		return 0
	}
	return r.changes.Load()
}

func sameSecret(want, got string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}

// VerifyPlain checks a whole connection string, as Kafka's SASL PLAIN carries
// it for the user $ConnectionString.
func (r *Rules) VerifyPlain(connString string) (Claims, error) {
	return r.verifyPlain(connString, time.Now())
}

func (r *Rules) verifyPlain(connString string, now time.Time) (Claims, error) {
	cs, err := ParseConnectionString(connString)
	if err != nil {
		return Claims{}, err
	}
	if cs.Signature != "" {
		return r.VerifyToken(cs.Signature, "", now)
	}
	return r.VerifyKey(cs.KeyName, cs.Key, cs.EntityPath)
}

// Check verifies token and that it gives right on resource, a path such as
// hub/Partitions/0 or a URL with that path.
func (r *Rules) Check(token, resource string, right Rights, now time.Time) error {
	c, err := r.VerifyToken(token, resource, now)
	if err != nil {
		return err
	}
	if !c.Covers(Path(resource), right) {
		return fmt.Errorf("%w. '%s' claim(s) are required to perform this operation", ErrRight, right)
	}
	return nil
}
