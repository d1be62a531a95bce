package amqp_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/access"
	listen "spate/listen/amqp"
	wire "spate/wire/amqp"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// relay stands between clients and a server and keeps what each connection's client said.
type relay struct {
	addr string

	mu       sync.Mutex // guards sessions
	sessions []*bytes.Buffer
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				return
			}
			said := new(bytes.Buffer)
			r.mu.Lock()
			r.sessions = append(r.sessions, said)
			r.mu.Unlock()
			go func() {
				defer client.Close()
				io.Copy(client, server)
			}()
			go func() {
				defer server.Close()
				b := make([]byte, 64<<10)
				for {
					n, err := client.Read(b)
					r.mu.Lock()
					said.Write(b[:n])
					r.mu.Unlock()
					if _, werr := server.Write(b[:n]); err != nil || werr != nil {
						return
					}
				}
			}()
		}
	}()
	return r
}

// recorded is what the SDK says when it sends and when it receives, one text for each
// connection.
func recorded(t testing.TB, w *world) [][]byte {
	t.Helper()
	r := newRelay(t, w.addr)
	cs := access.ConnectionString{Endpoint: "sb://" + r.addr, KeyName: access.RootRule, Key: rootKey, Emulator: true, EntityPath: hubName}.Print()
	p, err := azeventhubs.NewProducerClientFromConnectionString(cs, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.GetEventHubProperties(patience(t), nil); err != nil {
		t.Fatal(err)
	}
	send(t, p, batchTo("0"), append(numbered(0, 3), &azeventhubs.EventData{Body: []byte(strings.Repeat("x", 100_000)), Properties: map[string]any{"a": 1}})...)
	send(t, p, &azeventhubs.EventDataBatchOptions{PartitionKey: ptr("key")}, numbered(3, 3)...)
	p.Close(context.Background())
	c, err := azeventhubs.NewConsumerClientFromConnectionString(cs, "", azeventhubs.DefaultConsumerGroup, nil)
	if err != nil {
		t.Fatal(err)
	}
	receive(t, c, "0", azeventhubs.StartPosition{Earliest: ptr(true)}, 4)
	c.Close(context.Background())
	r.mu.Lock()
	defer r.mu.Unlock()
	var said [][]byte
	for _, s := range r.sessions {
		said = append(said, bytes.Clone(s.Bytes()))
	}
	return said
}

// split cuts a session into protocol headers and frames.
func split(session []byte) (parts [][]byte) {
	for len(session) >= 8 {
		n := 8
		if string(session[:4]) != "AMQP" {
			_, n, _ = wire.ParseFrame(session, 1<<20)
			if n == 0 {
				break
			}
		}
		parts = append(parts, session[:n])
		session = session[n:]
	}
	return parts
}

// edit changes a session as the bytes of edits say, three for each change: what is done,
// to which frame, where. Sizes of frames stay right, so that the change is seen behind the
// framing.
func edit(parts [][]byte, edits []byte) []byte {
	parts = append([][]byte(nil), parts...)
	for ; len(edits) >= 3 && len(parts) > 0; edits = edits[3:] {
		i := int(edits[1]) % len(parts)
		part := bytes.Clone(parts[i])
		at := 8
		if len(part) > 8 {
			at += int(edits[2]) % (len(part) - 8)
		}
		switch op := edits[0]; op % 8 {
		case 0: // say it again
			parts = append(parts[:i+1], parts[i:]...)
			continue
		case 1: // leave it out
			parts = append(parts[:i], parts[i+1:]...)
			continue
		case 2: // later
			j := int(edits[2]) % len(parts)
			parts[i], parts[j] = parts[j], parts[i]
			continue
		case 3: // cut
			part = part[:at]
		case 4: // longer
			part = append(part[:at:at], append(bytes.Repeat([]byte{op}, 1+int(op)), part[at:]...)...)
		case 5: // another channel
			if len(part) > 8 {
				part[7] = op >> 3
			}
		default: // another byte
			if at < len(part) {
				part[at] ^= op >> 2
			}
		}
		if len(part) >= 8 && string(part[:4]) != "AMQP" {
			part = wire.CloseFrame(part, 0)
		}
		parts[i] = part
	}
	return bytes.Join(parts, nil)
}

// FuzzSession changes what a real client says. Whatever comes of it, nothing panics, the
// connection ends with its client, and the next client is served.
func FuzzSession(f *testing.F) {
	panics := new(lines)
	w := newWorld(f, func(o *listen.Options) {
		o.Log = slog.New(slog.NewTextHandler(panics, &slog.HandlerOptions{Level: slog.LevelError}))
	})
	var sessions [][][]byte
	for _, s := range recorded(f, w) {
		if parts := split(s); len(parts) > 5 {
			sessions = append(sessions, parts)
		}
	}
	if len(sessions) < 2 {
		f.Fatalf("%d sessions were recorded", len(sessions))
	}
	for i := range sessions {
		for _, op := range []byte{0, 1, 2, 3, 4, 5, 15} {
			f.Add(byte(i), []byte{op, byte(len(sessions[i]) - 2), 9, op + 8, 6, 3})
		}
	}
	f.Fuzz(func(t *testing.T, which byte, edits []byte) {
		if len(edits) > 60 {
			return
		}
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() { w.server.ServeConn(server); close(done) }()
		go io.Copy(io.Discard, client)
		client.SetWriteDeadline(time.Now().Add(5 * time.Second))
		client.Write(edit(sessions[int(which)%len(sessions)], edits))
		client.Close()
		select {
		case <-done:
		case <-time.After(60 * time.Second):
			t.Fatal("the connection did not end")
		}
		if s := panics.String(); strings.Contains(s, "panic") {
			t.Fatal(s)
		}
	})
}
