package amqp

import (
	"bytes"
	"io"

	"spate/access"
	"spate/listen/limit"
	wire "spate/wire/amqp"
)

// negotiate answers the protocol headers and SASL. Clients may send all of it,
// and open, without waiting.
func (c *conn) negotiate() error {
	h, err := c.header()
	if err != nil {
		return err
	}
	switch {
	case h == wire.HeaderAMQP && !c.s.o.RequireAuth:
		c.raws([]byte(wire.HeaderAMQP))
		return nil
	case h != wire.HeaderSASL:
		c.log.Info("refused connection", "err", c.s.saw(h))
		c.raws([]byte(wire.HeaderSASL))
		return io.EOF
	}
	out := []byte(wire.HeaderSASL)
	out, at := wire.OpenFrame(out, wire.FrameSASL, 0)
	out = wire.AppendMechanisms(out, "MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL")
	c.raws(wire.CloseFrame(out, at))

	f, err := c.frame()
	if err != nil {
		return err
	}
	code, fields, _, err := wire.Performative(f.Body)
	if err != nil || f.Type != wire.FrameSASL || code != wire.CodeInit {
		return io.ErrUnexpectedEOF
	}
	init, err := wire.DecodeSASLInit(fields)
	if err != nil {
		return err
	}
	outcome := wire.SASLAuth
	switch init.Mechanism {
	case "ANONYMOUS", "MSSBCBS", "EXTERNAL":
		outcome = wire.SASLOk
	case "PLAIN":
		if c.plain(init.Response) {
			outcome = wire.SASLOk
		}
	}
	out, at = wire.OpenFrame(nil, wire.FrameSASL, 0)
	c.raws(wire.CloseFrame(wire.AppendOutcome(out, outcome), at))
	if outcome != wire.SASLOk {
		c.log.Info("refused connection", "err", "SASL failed", "mechanism", limit.Name(init.Mechanism))
		c.s.count.node.count(fault(condUnauthorized, "SASL failed."))
		return io.EOF
	}
	if h, err = c.header(); err != nil {
		return err
	}
	c.raws([]byte(wire.HeaderAMQP))
	if h != wire.HeaderAMQP {
		return io.EOF
	}
	return nil
}

// plain checks authzid NUL key name NUL key.
func (c *conn) plain(response []byte) bool {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return false
	}
	name := string(parts[1])
	claims, err := c.s.o.Rules.VerifyKey(name, string(parts[2]), "")
	if err != nil {
		if c.s.o.RequireAuth || c.s.o.Rules.Known(name) {
			return false
		}
		claims = access.Claims{Rule: name, Rights: access.Manage}
	}
	return c.grant("", claims)
}
