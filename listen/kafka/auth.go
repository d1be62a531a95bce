package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/access"
	"spate/listen/limit"
)

// authState is how far a connection's SASL exchange has come.
type authState uint8

const (
	authNone  authState = iota
	authShook           // handshake v1: the token comes in SaslAuthenticate
	authRaw             // handshake v0: the next frame is a bare token
	authDone            // or never asked for
)

// connectionStringUser is the user name that goes with a whole connection string.
const connectionStringUser = "$ConnectionString"

const mechanismPlain = "PLAIN"

func (c *conn) saslHandshake(p *pending, req *kmsg.SASLHandshakeRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.SupportedMechanisms = []string{mechanismPlain}
	switch {
	case req.Mechanism != mechanismPlain:
		resp.ErrorCode, p.code = codeUnsupportedSASL, codeUnsupportedSASL
	case req.Version == 0:
		c.auth = authRaw
	case c.auth != authDone: // else: it authenticates anew and stays what it is meanwhile
		c.auth = authShook
	}
	return resp
}

func (c *conn) saslAuthenticate(p *pending, req *kmsg.SASLAuthenticateRequest) error {
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	p.answer = resp
	if c.auth == authNone {
		resp.ErrorCode, p.code = codeSASLState, codeSASLState
		resp.ErrorMessage = kmsg.StringPtr("SaslHandshake has to come first")
		p.closing = true
		return errEnd
	}
	claims, err := c.verify(req.SASLAuthBytes)
	if err == nil && c.claims.Rule != "" && claims.Rule != c.claims.Rule {
		err = fmt.Errorf("the connection belongs to %s and cannot become that of %s", c.claims.Rule, claims.Rule)
	}
	if err != nil {
		c.logRefusedKey(err)
		resp.ErrorCode, p.code = codeSASLFailed, codeSASLFailed
		resp.ErrorMessage = kmsg.StringPtr(err.Error())
		p.closing = true
		return errEnd
	}
	c.admit(claims)
	resp.SASLAuthBytes = []byte{}
	if !claims.Expires.IsZero() {
		resp.SessionLifetimeMillis = max(1, time.Until(claims.Expires).Milliseconds())
	}
	return nil
}

// rawToken is the exchange after handshake v0: a token, and an empty frame for yes.
func (c *conn) rawToken(p *pending, token []byte) error {
	claims, err := c.verify(token)
	if err != nil {
		c.logRefusedKey(err)
		p.closing = true
		c.s.requestsOfNone.count(codeSASLFailed) // there is no answer that could say it
		return errEnd
	}
	c.admit(claims)
	p.ready = true // and empty
	return nil
}

func (c *conn) logRefusedKey(err error) {
	c.log.Warn("authentication refused", "err", limit.Name(err.Error())) // it may hold a name of any length
}

// unauthorized counts a request that ends its connection, because of err.
func (c *conn) unauthorized(err error) error {
	c.s.requestsOfNone.count(codeSASLFailed)
	return err
}

func (c *conn) admit(claims access.Claims) {
	c.auth, c.claims = authDone, claims
	c.forgetTopics()
}

// verify checks a PLAIN token: authorisation id, user, password, with zero bytes between.
func (c *conn) verify(token []byte) (access.Claims, error) {
	parts := bytes.Split(token, []byte{0})
	if len(parts) != 3 {
		return access.Claims{}, errors.New("PLAIN token: three parts are wanted")
	}
	user, password := string(parts[1]), string(parts[2])
	switch {
	case c.s.o.Rules == nil: // nobody is kept out
		return access.Claims{Rights: access.Manage}, nil
	case user == connectionStringUser:
		return c.s.o.Rules.VerifyPlain(password)
	}
	return c.s.o.Rules.VerifyKey(user, password, "")
}
