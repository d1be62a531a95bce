package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"spate/listen/kafka"
)

// recorder notes what a client sends on one connection.
type recorder struct {
	net.Conn
	mu   *sync.Mutex
	sent *[]byte
}

func (r recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	*r.sent = append(*r.sent, b...)
	r.mu.Unlock()
	return r.Conn.Write(b)
}

// recorded is what a franz-go client sends that produces in each codec and consumes: the
// requests of each of its connections.
func recorded(t testing.TB, in *instance) [][][]byte {
	t.Helper()
	var mu sync.Mutex
	var all []*[]byte
	tap := kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		sent := new([]byte)
		mu.Lock()
		all = append(all, sent)
		mu.Unlock()
		return recorder{nc, &mu, sent}, err
	})
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		c := client(t, in, tap, kgo.ProducerBatchCompression(codec), asUser("root", key))
		produce(t, c, 0, i*30, 30)
	}
	consume(t, in, 0, kgo.NewOffset().AtStart(), 150, tap, asUser("root", key))
	mu.Lock()
	defer mu.Unlock()
	var sessions [][][]byte
	for _, sent := range all {
		var frames [][]byte
		for b := *sent; len(b) >= 4; {
			n := 4 + int(binary.BigEndian.Uint32(b))
			if n > len(b) {
				break
			}
			frames = append(frames, b[4:n])
			b = b[n:]
		}
		if len(frames) > 0 {
			sessions = append(sessions, frames)
		}
	}
	return sessions
}

// changed is the stream of a session with edits, five bytes each: frame, what to do, place
// and value. Lengths in front of frames are right, but where an edit says otherwise.
func changed(session [][]byte, edits []byte) []byte {
	frames := make([][]byte, len(session))
	lengths := make(map[int]uint32)
	for i, f := range session {
		frames[i] = append([]byte(nil), f...)
	}
	for ; len(edits) >= 5; edits = edits[5:] {
		i := int(edits[0]) % len(frames)
		f := frames[i]
		at := int(binary.BigEndian.Uint16(edits[2:])) % (len(f) + 1)
		v := edits[4]
		switch edits[1] % 7 {
		case 0, 1:
			if at < len(f) {
				f[at] = v
			}
		case 2:
			f = append(f[:at], f[min(len(f), at+1+int(v)%16):]...)
		case 3:
			f = append(f[:at], append([]byte{v, v, v, v}[:1+v%4], f[at:]...)...)
		case 4: // the same again
			if len(frames) < 50 {
				frames = append(frames, append([]byte(nil), f...))
			}
		case 5:
			f = f[:at]
		case 6:
			lengths[i] = uint32(v) << (edits[2] % 25)
		}
		frames[i] = f
	}
	var b []byte
	for i, f := range frames {
		n := uint32(len(f))
		if l, ok := lengths[i]; ok {
			n = l
		}
		b = append(binary.BigEndian.AppendUint32(b, n), f...)
	}
	return b
}

// play sends a stream and reads all answers. The server has to end the connection.
func play(t *testing.T, in *instance, stream []byte) {
	nc, err := net.Dial("tcp", in.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		nc.Write(stream)
		nc.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(io.Discard, nc)
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		t.Fatalf("the connection does not end; %d bytes were sent", len(stream))
	}
}

// target is an instance with little patience, and its log.
func target(t testing.TB) (*instance, *logged) {
	log := new(logged)
	in, _ := secured(t, kafka.Options{Log: log.logger(), KeyTimeout: time.Second, WriteTimeout: time.Second})
	return in, log
}

func TestChangedSessionsEndInOrder(t *testing.T) {
	in, log := target(t)
	sessions := recorded(t, in)
	if len(sessions) < 6 {
		t.Fatalf("%d sessions were recorded", len(sessions))
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	before, goroutines := held(), runtime.NumGoroutine()
	for i := range 400 {
		edits := make([]byte, 5*rnd.IntN(6))
		for k := range edits {
			edits[k] = byte(rnd.Uint32())
		}
		play(t, in, changed(sessions[i%len(sessions)], edits))
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
	if grown := held() - before; grown > 40<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	if strings.Contains(log.String(), "panic") {
		t.Error(log.String())
	}
	checkRecords(t, consume(t, in, 0, kgo.NewOffset().AtStart(), 150, asUser("root", key))[:150], 0, 0)
}

// FuzzSession changes what a real client says: whatever it becomes, the server answers or
// ends the connection, and nothing panics.
func FuzzSession(f *testing.F) {
	in, log := target(f)
	sessions := recorded(f, in)
	for i := range sessions {
		f.Add(uint8(i), []byte{})
		f.Add(uint8(i), []byte{3, 0, 0, 9, 255, 2, 6, 20, 0, 4})
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		play(t, in, changed(sessions[int(which)%len(sessions)], edits))
		if s := log.String(); strings.Contains(s, "panic") {
			t.Fatal(s)
		}
	})
}
