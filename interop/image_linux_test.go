package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"spate/config"
)

// imageFile is what the last stage of the Dockerfile makes.
type imageFile struct {
	stages                       []string // base images
	copies                       [][2]string
	user, workdir                string
	volumes, exposed             []string
	entrypoint, cmd, healthCheck []string
}

// readDockerfile reads the few instructions that are used, and refuses others.
func readDockerfile(t *testing.T, path string) imageFile {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := func(text string) (out []string) {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return
	}
	var f imageFile
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "FROM":
			f = imageFile{stages: append(f.stages, strings.Fields(rest)[0])}
		case "COPY":
			parts := slices.DeleteFunc(strings.Fields(rest), func(s string) bool { return strings.HasPrefix(s, "--") })
			f.copies = append(f.copies, [2]string{parts[0], parts[len(parts)-1]})
		case "USER":
			f.user = rest
		case "WORKDIR":
			f.workdir = rest
		case "VOLUME":
			f.volumes = strings.Fields(rest)
		case "EXPOSE":
			f.exposed = strings.Fields(rest)
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, "CMD ")
			f.healthCheck = list(command)
		case "ENTRYPOINT":
			f.entrypoint = list(rest)
		case "CMD":
			f.cmd = list(rest)
		case "RUN":
		default:
			t.Fatalf("%s: the test does not know %s", path, word)
		}
	}
	return f
}

// Libraries of the base image, besides the loader. Who changes the base looks them up.
var librariesOf = map[string][]string{
	"gcr.io/distroless/cc-debian12:nonroot": {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"},
}

type composeFile struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       string            `yaml:"build"`
		Environment map[string]string `yaml:"environment"`
		Volumes     []string          `yaml:"volumes"`
		Ports       []string          `yaml:"ports"`
		Grace       string            `yaml:"stop_grace_period"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	data, err := os.ReadFile("../examples/compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return c
}

// What compose publishes, hands over and mounts is what the image and the pipeline file have.
func TestComposeAgreesWithTheImage(t *testing.T) {
	image, service := readDockerfile(t, "../Dockerfile"), readCompose(t).Services["spate"]
	if _, err := os.Stat(filepath.Join("../examples/compose", service.Build, "Dockerfile")); err != nil {
		t.Error(err)
	}
	if user, _, _ := strings.Cut(image.user, ":"); user == "" || user == "0" || user == "root" {
		t.Errorf("the image runs as %q", image.user)
	}
	env := map[string]string{"SPATE_KEY": "a-key"}
	p, err := config.Load(config.Source{Path: "../examples/compose/spate.yaml", Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	var ports []string
	for _, addr := range []string{p.Options.Listen.AMQP, p.Options.Listen.Kafka, p.Options.Listen.Health} {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || host != "0.0.0.0" {
			t.Errorf("in a container %q is reached by nobody", addr)
		}
		if !slices.Contains(image.exposed, port) {
			t.Errorf("EXPOSE lacks %s", port)
		}
		ports = append(ports, "127.0.0.1:"+port+":"+port)
	}
	if !slices.Equal(service.Ports, ports) {
		t.Errorf("compose publishes %v, the pipeline file opens %v", service.Ports, ports)
	}
	file, err := os.ReadFile("../examples/compose/spate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$\{env:([A-Z_]+)`).FindAllStringSubmatch(string(file), -1) {
		if service.Environment[m[1]] == "" {
			t.Errorf("the pipeline file reads %s, which compose does not hand over", m[1])
		}
	}
	for name := range service.Environment {
		if !strings.Contains(string(file), "${env:"+name) {
			t.Errorf("compose hands over %s, which nothing reads", name)
		}
	}
	if want := []string{"./spate.yaml:" + image.workdir + "/spate.yaml:ro", "data:" + image.volumes[0]}; !slices.Equal(service.Volumes, want) {
		t.Errorf("volumes are %v, want %v", service.Volumes, want)
	}
	if grace, err := time.ParseDuration(service.Grace); err != nil || grace <= 30*time.Second {
		t.Errorf("an orderly stop may take 30 s, compose gives it %s", service.Grace)
	}
}

const (
	imageRoot  = "SPATE_TEST_IMAGE_ROOT"
	imageOwner = "SPATE_TEST_IMAGE_OWNER"
)

// A root folder of what the image has, and nothing else: the commands of the image run there
// as they stand in the Dockerfile, with the pipeline file of compose, and clients reach it
// over an address that is not loopback.
func TestTheImageRuns(t *testing.T) {
	if os.Getenv(imageRoot) != "" {
		t.Skip("this is the inner process")
	}
	flags := namespaces(t, "--net", "--mount")
	image := readDockerfile(t, "../Dockerfile")
	base := image.stages[len(image.stages)-1]
	libraries := librariesOf[base]
	if libraries == nil {
		t.Fatalf("the test does not know what %s holds", base)
	}
	root := t.TempDir()
	place := func(from, to string, mode os.FileMode) {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range image.copies {
		switch {
		case strings.HasSuffix(c[0], "/bin/spate"):
			place(binary, c[1], 0o755)
		case c[0] == "LICENSE":
			place("../LICENSE", c[1], 0o644)
		default: // an empty folder
			if err := os.MkdirAll(filepath.Join(root, c[1]), 0o755); err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() == 0 {
				if err := os.Chown(filepath.Join(root, c[1]), 65532, 65532); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	said, err := exec.Command("ldd", binary).Output()
	if err != nil {
		t.Fatalf("ldd: %v", err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:(\S+) => )?(/\S+) \(`).FindAllStringSubmatch(string(said), -1) {
		if m[1] != "" && !slices.Contains(libraries, m[1]) {
			t.Errorf("the command needs %s, which %s does not hold", m[1], base)
		}
		place(m[2], m[2], 0o755)
	}
	place("../examples/compose/spate.yaml", filepath.Join(image.workdir, "spate.yaml"), 0o644)
	for _, dir := range []string{"proc", "tmp", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The inner process needs no command of its own, and runs only the one test.
	inner := exec.Command("unshare", append(flags, self, "-test.run=^TestInsideTheImage$", "-test.v", "-test.timeout=4m")...)
	inner.Env = append(os.Environ(), innerProcess+"=1", imageRoot+"="+root, fmt.Sprintf("%s=%d", imageOwner, os.Geteuid()))
	out, err := inner.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideTheImage") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInsideTheImage is the inner process of TestTheImageRuns.
func TestInsideTheImage(t *testing.T) {
	root := os.Getenv(imageRoot)
	if root == "" {
		t.Skip("TestTheImageRuns runs it")
	}
	const outside = "192.0.2.1" // another address of this network than loopback
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", outside + "/32", "dev", "lo"}} {
		if said, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, said)
		}
	}
	if err := syscall.Mount("/proc", filepath.Join(root, "proc"), "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	image := readDockerfile(t, "../Dockerfile")
	log := new(logBuffer)
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(args[0], args[1:]...)
		c.Path, c.Err = args[0], nil // of the root folder, not of this one
		c.Dir = image.workdir
		c.Env = []string{"SPATE_KEY=a-key-of-mine", "SPATE_HOST=" + outside}
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		if os.Getenv(imageOwner) == "0" { // else nobody here is somebody else
			c.SysProcAttr.Credential = &syscall.Credential{Uid: 65532, Gid: 65532}
		}
		return c
	}
	main := command(slices.Concat(image.entrypoint, image.cmd)...)
	main.Stdout, main.Stderr = log, log
	if err := main.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- main.Wait() }()
	defer func() {
		main.Process.Kill()
		if t.Failed() {
			t.Log(log)
		}
	}()
	healthy := func() bool { return command(image.healthCheck...).Run() == nil }
	for end := time.Now().Add(time.Minute); !healthy(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			said, err := command(image.healthCheck...).CombinedOutput()
			t.Fatalf("not healthy: %v\n%s", err, said)
		}
	}
	if n := strings.Count(log.String(), "a port without TLS is open beyond this machine"); n != 3 {
		t.Errorf("%d warnings of plain ports, want 3", n)
	}
	answer, err := http.Get("http://" + outside + ":5300/health")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != `{"status":"healthy","message":"Service is healthy."}` {
		t.Errorf("health says %s, %v", body, err)
	}
	for _, c := range []struct {
		key string
		ok  bool
	}{{"SAS_KEY_VALUE", false}, {"a-key-of-mine", true}} {
		text := fmt.Sprintf("Endpoint=sb://%s;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=%s;UseDevelopmentEmulator=true;", outside, c.key)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		client, err := kgo.NewClient(kgo.SeedBrokers(outside+":9092"), kgo.SASL(plain.Auth{User: "$ConnectionString", Pass: text}.AsMechanism()),
			kgo.DefaultProduceTopic("eh1"), kgo.RetryTimeout(5*time.Second), kgo.RecordDeliveryTimeout(10*time.Second), kgo.UnknownTopicRetries(0))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		err = client.ProduceSync(ctx, &kgo.Record{Value: []byte(`{"a":1}`)}).FirstErr()
		if (err == nil) != c.ok {
			t.Errorf("with the key %s: %v", c.key, err)
		}
		said, err := command("/usr/local/bin/spate", "simulate", "--connection-string", text, "--hub", "eh1", "--devices", "2", "--interval", "20ms", "--duration", "100ms", "--via", "amqp").CombinedOutput()
		if (err == nil) != c.ok {
			t.Errorf("over AMQP with the key %s: %v\n%s", c.key, err, said)
		}
	}
	if c, err := net.Dial("tcp", outside+":8790"); err == nil {
		c.Close()
		t.Error("the console is open to strangers")
	}
	if said, err := command("/usr/local/bin/spate", "eval", "--data", "/data", "-e", "SELECT COUNT(*) AS n INTO out FROM eh1 GROUP BY TumblingWindow(day, 1)", "--input", "eh1=hub:eh1").CombinedOutput(); err != nil || !strings.Contains(string(said), `"n":`) {
		t.Errorf("reading the hub back: %v\n%s", err, said)
	}
	// The child of a query needs the libraries too.
	if err := os.WriteFile(filepath.Join(root, "tmp", "in.jsonl"), []byte("{}\n{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, err := command("/usr/local/bin/spate", "eval", "-e", "SELECT 1 AS n INTO out FROM [in]", "--input", "in=/tmp/in.jsonl", "--output", "out=delta:/data/lake/spate/data/default.db/t").CombinedOutput(); err != nil {
		t.Errorf("making a table: %v\n%s", err, said)
	}
	if said, err := command("/usr/local/bin/spate", "query", "--data", "/data", "-o", "csv", "SELECT SUM(n) AS n FROM t").CombinedOutput(); err != nil || string(said) != "n\r\n2\r\n" {
		t.Errorf("a query: %v\n%s", err, said)
	}
	if err := main.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("SIGTERM did not end it")
	}
	if healthy() {
		t.Error("healthy after the end")
	}
}
