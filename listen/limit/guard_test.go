package limit

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestAPanicEndsOneClient(t *testing.T) {
	var out bytes.Buffer
	ours, theirs := net.Pipe()
	Guard(slog.New(slog.NewTextHandler(&out, nil)), ours, func() { panic("no such link") })
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client sees %v", err)
	}
	if s := out.String(); !strings.Contains(s, `err="no such link"`) || !strings.Contains(s, "TestAPanicEndsOneClient") {
		t.Errorf("log %s", s)
	}
}
