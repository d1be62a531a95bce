package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const tokenPrefix = "SharedAccessSignature "

// IsToken reports whether s is a shared access signature; the type that a
// client declares says nothing.
func IsToken(s string) bool {
	return len(s) >= len(tokenPrefix) && strings.EqualFold(s[:len(tokenPrefix)], tokenPrefix)
}

// Sign makes a token for resource, a URL such as sb://host/hub, that ends at
// expires.
func Sign(resource, rule, key string, expires time.Time) string {
	sr := escape(resource)
	se := strconv.FormatInt(expires.Unix(), 10)
	return tokenPrefix + "sr=" + sr + "&sig=" + escape(base64.StdEncoding.EncodeToString(mac(key, sr, se))) +
		"&se=" + se + "&skn=" + escape(rule)
}

// escape is url.QueryEscape but for the space, which '+' does not stand for here.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// mac signs the resource as it is written in the token, still escaped: clients
// differ in how they escape it. The key is its text, not what it encodes.
func mac(key, sr, se string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(sr + "\n" + se))
	return h.Sum(nil)
}

// TokenRule returns the name of the policy that a token says it is signed by.
func TokenRule(token string) string {
	t, err := parseToken(token)
	if err != nil {
		return ""
	}
	return t.skn
}

type sasToken struct {
	sr  string // as written
	sig []byte
	se  string
	skn string
}

func parseToken(token string) (sasToken, error) {
	var t sasToken
	if !IsToken(token) {
		return t, fmt.Errorf("%w: The token is not a shared access signature", ErrMalformed)
	}
	for field := range strings.SplitSeq(token[len(tokenPrefix):], "&") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		plain, err := url.PathUnescape(value)
		if err != nil {
			return t, fmt.Errorf("%w: The field %s of the token is not escaped rightly", ErrMalformed, name)
		}
		switch name {
		case "sr":
			t.sr = value
		case "sig":
			if t.sig, err = base64.StdEncoding.DecodeString(plain); err != nil {
				return t, fmt.Errorf("%w: The token has an invalid signature", ErrSignature)
			}
		case "se":
			t.se = value
		case "skn":
			t.skn = plain
		}
	}
	for name, value := range map[string]string{"sr": t.sr, "sig": string(t.sig), "se": t.se, "skn": t.skn} {
		if value == "" {
			return t, fmt.Errorf("%w: The token has no field %s", ErrMalformed, name)
		}
	}
	return t, nil
}

// VerifyToken checks a shared access signature: its policy, signature and
// expiry, and that it covers audience, a URL or a path; an empty audience is
// covered by every token.
func (r *Rules) VerifyToken(token string, audience string, now time.Time) (Claims, error) {
	t, err := parseToken(token)
	if err != nil {
		return Claims{}, err
	}
	scope := t.sr
	if plain, err := url.PathUnescape(t.sr); err == nil {
		scope = plain
	}
	scope = Path(scope)
	seen := r.seen()
	var c Claims
	for _, rule := range r.candidates(t.skn, scope) {
		if hmac.Equal(t.sig, mac(rule.Primary, t.sr, t.se)) {
			c = rule.proven(rule.Primary, seen)
			break
		}
		if rule.Secondary != "" && hmac.Equal(t.sig, mac(rule.Secondary, t.sr, t.se)) {
			c = rule.proven(rule.Secondary, seen)
			break
		}
	}
	if c.Rule == "" {
		return Claims{}, fmt.Errorf("%w: The token has an invalid signature", ErrSignature)
	}
	seconds, err := strconv.ParseInt(t.se, 10, 64)
	if err != nil {
		return Claims{}, fmt.Errorf("%w: The expiry of the token is no number of seconds", ErrMalformed)
	}
	c.Scope, c.Expires = scope, time.Unix(seconds, 0)
	if c.Expired(now) {
		return Claims{}, fmt.Errorf("%w: The token is expired. Expiration time: %s", ErrExpired,
			c.Expires.UTC().Format(time.RFC3339))
	}
	if audience != "" && !covers(scope, Path(audience)) {
		return Claims{}, fmt.Errorf("%w: The token is for %q and does not cover %q", ErrAudience, scope, Path(audience))
	}
	return c, nil
}

// Path returns the path of a URL without scheme, host and the slashes around
// it; what has no scheme is a path already.
func Path(resource string) string {
	if _, rest, ok := strings.Cut(resource, "://"); ok {
		_, resource, _ = strings.Cut(rest, "/")
	}
	return strings.Trim(resource, "/")
}
