package spate

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"spate/hub"
	"spate/hub/eventlog"
	"spate/pipeline"
)

const limitedDir = "SPATE_TEST_LIMITED_DIR"

// A pipeline whose process has no file descriptor left goes on: connections wait, appends
// are stored, the page of health says it, and all is well when there are descriptors again.
func TestPipelineOutlivesItsDescriptors(t *testing.T) {
	if dir := os.Getenv(limitedDir); dir != "" {
		limited(t, dir)
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("no ulimit")
	}
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n 256; exec "$0" -test.run '^TestPipelineOutlivesItsDescriptors$'`, os.Args[0])
	cmd.Env = append(os.Environ(), limitedDir+"="+t.TempDir())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	// ask has the child do something, and returns what it says.
	ask := func(what string) string {
		t.Helper()
		fmt.Fprintln(in, what)
		for lines.Scan() {
			if said, ok := strings.CutPrefix(lines.Text(), what+": "); ok {
				return said
			}
		}
		t.Fatalf("%s: the process has ended", what)
		return ""
	}
	at := strings.Fields(ask("listen"))
	amqp, page := at[0], "http://"+at[1]+"/healthz"
	client := &http.Client{} // its connection stays
	health := func() string {
		t.Helper()
		resp, err := client.Get(page)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(body)))
	}
	if got := health(); got != "200 ok" {
		t.Fatal(got)
	}
	ask("take")
	var waiting []net.Conn
	for range 200 { // more than there may be
		nc, err := net.Dial("tcp", amqp)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		waiting = append(waiting, nc)
	}
	until(t, "the page to say it", func() bool { return health() == "503 out of file descriptors: connections wait" })
	if got := ask("append"); got != "stored" {
		t.Errorf("append: %s", got)
	}
	ask("free")
	until(t, "health", func() bool { return health() == "200 ok" })
	greeted, refused := 0, 0
	for _, nc := range waiting {
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		hello := []byte("AMQP\x03\x01\x00\x00")
		nc.Write(hello) // one that was refused may fail here, or at the read
		if _, err := io.ReadFull(nc, hello); err == nil {
			greeted++
		} else {
			refused++
		}
	}
	if greeted != 128 || refused != len(waiting)-128 {
		t.Errorf("%d clients were served, %d refused; want 128 and the rest", greeted, refused)
	}
	if got := ask("append"); got != "stored" {
		t.Errorf("append: %s", got)
	}
	in.Close()
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process: %v", err)
	}
}

// limited is the process with few descriptors.
func limited(t *testing.T, dir string) {
	p := run(t, pipeline.Options{Dir: dir, Listen: pipeline.Listen{AMQP: "127.0.0.1:0", HTTP: "127.0.0.1:0"}})
	h, _ := p.hubs.namespace.Hub("in")
	var taken []*os.File
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		said := "done"
		switch s.Text() {
		case "listen":
			until(t, "the jobs", p.Jobs().Running)
			said = p.Endpoints().AMQP + " " + p.Endpoints().HTTP
		case "take":
			for {
				f, err := os.Open(os.DevNull)
				if err != nil {
					break
				}
				taken = append(taken, f)
			}
		case "free":
			for _, f := range taken {
				f.Close()
			}
		case "append":
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := h.Partition(0).Append(eventlog.Internal, []hub.Event{{Body: []byte("x")}}).Wait(ctx); err != nil {
				said = err.Error()
			} else {
				said = "stored"
			}
			cancel()
		}
		fmt.Println(s.Text() + ": " + said)
	}
}
