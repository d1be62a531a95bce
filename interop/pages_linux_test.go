package interop

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What README.md and docs/*.md tell people to type is typed here, page by page, each in a
// folder of its own with the command as bin/spate and on the path, and in a network of its
// own, because the pages name ports. A block is a ```sh block, or one that begins with "$ "
// and has the output below each command; its name is its first command. A block that the
// page's entry does not name fails, and so does a name without a block.

// page says what becomes of the blocks of a page.
type page struct {
	setup func(s *session)
	runs  map[string]how
	skips map[string]string // why it cannot run here
}

// how is how a block is run and what its output is compared with.
type how struct {
	output compare
	retry  bool              // until each command succeeds: what it shows takes a while to come
	change map[string]string // what is made shorter
	before func(s *session)
	exit   int // with which the last command ends
}

type compare string

const (
	anything compare = ""
	shape    compare = "shape" // but for numbers, and how much room they take
	head     compare = "head"  // the first line, but for how much room columns take
)

const pagesInside = "SPATE_TEST_PAGES"

// TestThePages runs the pages in a network of their own.
func TestThePages(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range pageFiles(t) { // so that Go does not take the result of other pages
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("unshare", append(namespaces(t, "--net"), self, "-test.run=^TestInsideThePages$", "-test.v", "-test.timeout=15m")...)
	c.Env = append(os.Environ(), innerProcess+"=1", pagesInside+"="+binary)
	if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestInsideThePages")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// namespaces are the arguments of unshare for a process with namespaces of its own, in which
// it is root.
func namespaces(t *testing.T, flags ...string) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		flags = append(flags, "--map-root-user")
	}
	if said, err := exec.Command("unshare", append(slices.Clone(flags), "true")...).CombinedOutput(); err != nil {
		missing(t, "unshare "+strings.Join(flags, " "), fmt.Sprintf("a network of its own is needed: %v %s", err, said))
	}
	return append(flags, "--")
}

func pageFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, no pages", err)
	}
	return append([]string{"../README.md", "../CONTRIBUTING.md"}, files...)
}

func TestInsideThePages(t *testing.T) {
	program := os.Getenv(pagesInside)
	if program == "" {
		t.Skip("TestThePages runs it")
	}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", "192.0.2.1/32", "dev", "lo"}} { // the address is for librdkafka
		if said, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, said)
		}
	}
	for _, file := range pageFiles(t) {
		name := strings.TrimPrefix(file, "../")
		t.Run(name, func(t *testing.T) {
			blocks := blocksOf(t, file)
			p, known := pages[name]
			if !known && len(blocks) > 0 {
				t.Fatalf("the page has blocks to type, and no entry here: %q", blocks[0].name)
			}
			found := make(map[string]bool)
			for _, b := range blocks {
				found[b.name] = true
			}
			for name := range p.runs {
				if !found[name] {
					t.Errorf("the page has no block %q", name)
				}
			}
			for name := range p.skips {
				if !found[name] {
					t.Errorf("the page has no block %q", name)
				}
			}
			s := newSession(t, program)
			if p.setup != nil {
				p.setup(s)
			}
			for _, b := range blocks {
				if why := p.skips[b.name]; why != "" {
					t.Logf("not run, %s: %s", why, b.name)
					continue
				}
				h, ok := p.runs[b.name]
				if !ok {
					t.Errorf("the block %q is neither run nor listed with a reason", b.name)
					continue
				}
				if h.before != nil {
					h.before(s)
				}
				s.run(b, h)
			}
			s.stop()
		})
	}
}

// step is one command with the output that the page shows.
type step struct{ command, output string }

type block struct {
	name  string
	steps []step
}

// blocksOf are the blocks of a page that people type.
func blocksOf(t *testing.T, file string) (out []block) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split("\n"+string(data), "\n```")
	for k := 1; k+1 < len(parts)+1 && k < len(parts); k += 2 {
		lang, text, _ := strings.Cut(parts[k], "\n")
		text += "\n"
		var b block
		switch {
		case lang == "sh":
			b.steps = commands(text)
			// What is shown below it, if it is not typed itself.
			if k+2 < len(parts) {
				if next, shown, _ := strings.Cut(parts[k+2], "\n"); next == "" && !strings.Contains("\n"+shown, "\n$ ") {
					b.steps[len(b.steps)-1].output = shown + "\n"
				}
			}
		case lang == "" && strings.Contains("\n"+text, "\n$ "):
			for line := range strings.Lines(text) {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					b.steps = append(b.steps, step{command: strings.TrimSuffix(command, "\n")})
				} else if len(b.steps) > 0 {
					b.steps[len(b.steps)-1].output += line
				}
			}
		default:
			continue
		}
		b.name = strings.TrimSpace(strings.SplitN(b.steps[0].command, "\n", 2)[0])
		if cut := strings.Index(b.name, "  "); cut > 0 { // a comment behind it
			b.name = b.name[:cut]
		}
		out = append(out, b)
	}
	return out
}

// commands splits a block at the ends of its commands.
func commands(text string) (out []step) {
	var lines []string
	end := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" && end == "" && len(lines) == 0 {
			continue
		}
		lines = append(lines, line)
		if m := regexp.MustCompile(`<<'?(\w+)'?$`).FindStringSubmatch(line); m != nil && end == "" {
			end = m[1]
			continue
		}
		if end != "" && line != end || strings.HasSuffix(line, `\`) || end == "" && exec.Command("bash", "-n", "-c", strings.Join(lines, "\n")).Run() != nil {
			continue
		}
		out, lines, end = append(out, step{command: strings.Join(lines, "\n")}), nil, ""
	}
	return out
}

// session is somebody who types.
type session struct {
	t       *testing.T
	dir     string
	env     []string
	exports []string
	up      *exec.Cmd
	said    *logBuffer // of up
	ended   chan error
}

func newSession(t *testing.T, program string) *session {
	t.Helper()
	s := &session{t: t, dir: t.TempDir()}
	path := t.TempDir()
	for _, link := range []string{filepath.Join(path, "spate"), filepath.Join(s.dir, "bin", "spate")} {
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, link); err != nil {
			t.Fatal(err)
		}
	}
	// The command is built, so whoever types `go run` gets it.
	write(t, filepath.Join(path, "go"), "#!/bin/sh\ncase \"$1 $2\" in\n'run ./cmd/spate') shift 2; exec spate \"$@\";;\nesac\necho \"go $*: not here\" >&2\nexit 1\n")
	if err := os.Chmod(filepath.Join(path, "go"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
	t.Cleanup(s.stop)
	return s
}

func (s *session) write(name, text string) {
	s.t.Helper()
	write(s.t, filepath.Join(s.dir, name), text)
}

// copyTree puts a folder of the repository into that of the session.
func (s *session) copyTree(from, to string) {
	s.t.Helper()
	if err := os.CopyFS(filepath.Join(s.dir, to), os.DirFS(filepath.Join("..", from))); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) shell(command string) *exec.Cmd {
	c := exec.Command("bash", "-o", "pipefail", "-c", strings.Join(append(slices.Clone(s.exports), command), "\n"))
	c.Dir, c.Env = s.dir, s.env
	return c
}

var startsUp = regexp.MustCompile(`^(bin/spate|spate|go run \./cmd/spate) up\b`)

func (s *session) run(b block, h how) {
	s.t.Helper()
	for i, step := range b.steps {
		command := step.command
		for from, to := range h.change {
			command = strings.ReplaceAll(command, from, to)
		}
		switch {
		case startsUp.MatchString(command):
			s.start(command)
			s.compare(b, step, s.said.String(), h.output)
		case strings.HasPrefix(command, "export "):
			s.exports = append(s.exports, command)
		case strings.HasPrefix(command, "tail -f "):
			s.follow(command)
		default:
			var said []byte
			var err error
			for end := time.Now().Add(90 * time.Second); ; time.Sleep(200 * time.Millisecond) {
				said, err = s.shell(command).CombinedOutput()
				if err == nil || !h.retry || time.Now().After(end) {
					break
				}
			}
			var exit *exec.ExitError
			if h.exit != 0 && i == len(b.steps)-1 {
				if errors.As(err, &exit) && exit.ExitCode() == h.exit {
					err = nil
				} else {
					err = fmt.Errorf("it ends with %w, want exit status %d", cmp.Or(err, errDone), h.exit)
				}
			}
			if err != nil {
				s.t.Errorf("%s\n%v\n%s", command, err, said)
				continue
			}
			s.compare(b, step, string(said), h.output)
		}
	}
}

var errDone = errors.New("exit status 0")

// start runs `spate up` until stop.
func (s *session) start(command string) {
	s.t.Helper()
	s.stop()
	s.up, s.said, s.ended = s.shell("exec "+command), new(logBuffer), make(chan error, 1)
	s.up.Stdout, s.up.Stderr = s.said, s.said
	if err := s.up.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(c *exec.Cmd, ended chan error) { ended <- c.Wait() }(s.up, s.ended)
	for end := time.Now().Add(time.Minute); !strings.Contains(s.said.String(), "Ctrl-C stops it"); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-s.ended:
			s.up = nil
			s.t.Fatalf("%s ended: %v\n%s", command, err, s.said)
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s is not ready:\n%s", command, s.said)
		}
	}
}

// stop is Ctrl-C, and waits for the end.
func (s *session) stop() {
	s.t.Helper()
	if s.up == nil {
		return
	}
	up := s.up
	s.up = nil
	if err := up.Process.Signal(syscall.SIGINT); err != nil {
		s.t.Error(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("after Ctrl-C: %v\n%s", err, tail(s.said.String(), 3000))
		}
	case <-time.After(time.Minute):
		up.Process.Kill()
		s.t.Errorf("Ctrl-C did not end it\n%s", tail(s.said.String(), 3000))
	}
}

// follow waits for the first line of a command that does not end.
func (s *session) follow(command string) {
	s.t.Helper()
	said := new(logBuffer)
	c := s.shell("exec " + command)
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(said.String(), "}\n"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Errorf("%s says nothing: %s", command, said)
			break
		}
	}
	if err := c.Process.Kill(); err != nil {
		s.t.Errorf("stopping %s: %v", command, err)
	}
	var killed *exec.ExitError
	if err := c.Wait(); !errors.As(err, &killed) || killed.Exited() { // by the signal, not by itself
		s.t.Errorf("%s ended by itself: %v", command, err)
	}
}

var (
	numbers = regexp.MustCompile(`-?[0-9][0-9T:.Z-]*`)
	blanks  = regexp.MustCompile(`[ -]{2,}`)
	ports   = regexp.MustCompile(`sb://localhost(:\d+)?`)
	keys    = regexp.MustCompile(`SharedAccessKey=[^;]*;`)
)

// normal is a text without what differs from run to run.
func normal(text string) string {
	text = keys.ReplaceAllString(ports.ReplaceAllString(text, "sb://localhost"), "SharedAccessKey=...;")
	return blanks.ReplaceAllString(numbers.ReplaceAllString(text, "0"), " ")
}

// compare checks that the output which the page shows is that of the command: each line
// of it in this order, with [...] for lines that are left out.
func (s *session) compare(b block, step step, got string, how compare) {
	s.t.Helper()
	want := strings.TrimRight(step.output, "\n")
	if how == anything || want == "" {
		return
	}
	if how == head {
		got, want = strings.SplitN(got, "\n", 2)[0], strings.SplitN(want, "\n", 2)[0]
	}
	gotLines := strings.Split(normal(got), "\n")
	for line := range strings.Lines(want + "\n") {
		line = strings.TrimSuffix(line, "\n")
		if line == "[...]" {
			continue
		}
		found := slices.IndexFunc(gotLines, func(g string) bool { return strings.TrimRight(g, " ") == strings.TrimRight(normal(line), " ") })
		if found < 0 {
			s.t.Errorf("%s\nthe page shows the line\n%s\nwhich is not in\n%s", b.name, line, got)
			return
		}
		gotLines = gotLines[found+1:]
	}
}

// yamlOf are the YAML blocks of a page.
func yamlOf(t *testing.T, file string) (out []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split("\n"+string(data), "\n```")
	for k := 1; k < len(parts); k += 2 {
		if text, ok := strings.CutPrefix(parts[k], "yaml\n"); ok {
			out = append(out, text+"\n")
		}
	}
	return out
}
