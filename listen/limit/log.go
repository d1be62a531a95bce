package limit

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	logBytes   = 16 << 10    // of log for one client
	logPeriod  = time.Minute // in so long
	logClients = 4096        // that are told apart; the others share one budget
	logLine    = 64          // bytes of a line besides its message and attributes
)

// Log gives each client a budget of log, so that nobody can fill the disk with refusals.
// A nil Log gives loggers that discard.
type Log struct {
	out *slog.Logger

	mu      sync.Mutex // guards the field below and the budgets
	clients map[string]*budget
}

// budget is what one client may still log in its period.
type budget struct {
	left    int
	dropped int // lines
}

// NewLog returns a Log that writes to out.
func NewLog(out *slog.Logger) *Log {
	return &Log{out: out, clients: make(map[string]*budget)}
}

// For is the logger of a client, whose address may have a port. Its lines name the client.
// All connections from one host, or from one IPv6 network of 64 bits, have one budget.
func (l *Log) For(client string) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	h := &limited{Handler: l.out.Handler(), log: l, client: hostOf(client)}
	return slog.New(h).With("client", client)
}

// hostOf is what the clients of one budget have in common.
func hostOf(client string) string {
	host, _, err := net.SplitHostPort(client)
	if err != nil {
		host = client
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return Name(host)
	}
	a = a.Unmap()
	if p, err := a.WithZone("").Prefix(64); err == nil && a.Is6() {
		return p.String()
	}
	return a.String()
}

// others is the client of all that there was no room for.
const others = "others"

// take takes size bytes from the budget of a client. ranOut is the client whose budget has
// just run out.
func (l *Log) take(client string, size int) (ok bool, ranOut string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.clients[client]
	if b == nil && len(l.clients) >= logClients {
		client = others
		b = l.clients[client]
	}
	if b == nil {
		b = &budget{left: logBytes}
		l.clients[client] = b
		time.AfterFunc(logPeriod, func() { l.end(client, b) })
	}
	if b.left >= size {
		b.left -= size
		return true, ""
	}
	b.left = 0
	b.dropped++
	if b.dropped == 1 {
		ranOut = client
	}
	return false, ranOut
}

// end ends the period of a client.
func (l *Log) end(client string, b *budget) {
	l.mu.Lock()
	delete(l.clients, client)
	dropped := b.dropped
	l.mu.Unlock()
	if dropped > 0 {
		l.out.Warn("lines of this client were left out", "client", client, "lines", dropped)
	}
}

// limited is the handler of one client.
type limited struct {
	slog.Handler
	log    *Log
	client string
	fixed  int // bytes of the attributes of every line
}

func (h *limited) Handle(ctx context.Context, r slog.Record) error {
	size := logLine + h.fixed + len(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		size += sizeOf(a)
		return true
	})
	ok, ranOut := h.log.take(h.client, size)
	if ranOut != "" {
		h.log.out.Warn("this client has used up its minute of log", "client", ranOut, "bytes", logBytes)
	}
	if !ok {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h *limited) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.Handler = h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		c.fixed += sizeOf(a)
	}
	return &c
}

func (h *limited) WithGroup(name string) slog.Handler {
	c := *h
	c.Handler = h.Handler.WithGroup(name)
	c.fixed += len(name)
	return &c
}

func sizeOf(a slog.Attr) int { return len(a.Key) + len(a.Value.String()) + 2 }
