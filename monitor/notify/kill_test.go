package notify

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spate/hub"
	"spate/hub/eventlog"
)

// TestMain turns the test binary into the process that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SPATE_NOTIFY_CHILD"); dir != "" {
		if err := child(dir, os.Getenv("SPATE_NOTIFY_URL")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child appends numbered events and delivers them. It prints a number when its event
// is acknowledged, until standard input ends; then it waits until all is delivered.
func child(dir, url string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ns, err := hub.Open(ctx, hub.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer ns.Close()
	h, err := ns.Create(ctx, hub.Spec{Name: "alerts", Partitions: 1})
	if err != nil {
		return err
	}
	n, err := New(Options{Dir: filepath.Join(dir, "notify"), Name: "n", Hub: h,
		Receivers: []Receiver{{Name: "file", File: filepath.Join(dir, "out.jsonl")}, {Name: "hook", URL: url}}})
	if err != nil {
		return err
	}
	defer n.Close()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		bufio.NewReader(os.Stdin).ReadByte()
	}()
	p := h.Partition(0)
	for i := p.Bounds().Next; ; i++ {
		select {
		case <-stop:
			for p.Bounds().Next != n.box.position(0) || n.Pending() > 0 {
				time.Sleep(time.Millisecond)
			}
			cancel()
			return <-ended
		default:
		}
		k := p.Append(eventlog.Internal, []hub.Event{{Body: []byte(strconv.FormatInt(i, 10))}})
		<-k.Done()
		if k.Err() != nil {
			return k.Err()
		}
		fmt.Println(i)
	}
}

func TestKillLosesNothingAndTheFileHoldsEveryEventOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	dir, hook := t.TempDir(), newReceiver(t)
	const kills = 12
	acknowledged := -1
	for round := range kills + 1 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SPATE_NOTIFY_CHILD="+dir, "SPATE_NOTIFY_URL="+hook.URL)
		var errs bytes.Buffer
		cmd.Stderr = &errs
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
		lines := bufio.NewScanner(out)
		for left := 5 + rand.IntN(40); left > 0 && lines.Scan(); left-- {
			if acknowledged, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
		}
		if round == kills {
			in.Close()
		} else if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // acknowledged between the last look and the end
			if acknowledged, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Wait(); round == kills && err != nil {
			t.Fatalf("%v: %s", err, errs.String())
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "out.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i, l := range lines {
		if l != strconv.Itoa(i) {
			t.Fatalf("line %d of the file is %s", i, l)
		}
	}
	if len(lines) <= acknowledged {
		t.Errorf("the file ends at %d, acknowledged was %d", len(lines)-1, acknowledged)
	}
	seen := map[string]int{}
	repeats := 0
	for i, b := range hook.got() {
		if seen[b]++; seen[b] > 1 {
			repeats++
		}
		if first := hook.heads[i].Get("X-Spate-Sequence-Number"); first != b {
			t.Errorf("event %s came with number %s", b, first)
		}
	}
	if len(seen) != len(lines) || repeats > kills {
		t.Errorf("the webhook got %d events of %d, %d twice in %d kills", len(seen), len(lines), repeats, kills)
	}
}
