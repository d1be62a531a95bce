package interop

import (
	"regexp"
	"strings"
	"time"
)

// producer is in the place of the one of the page, which sends for an hour: it reads the same
// variables. The test of the producer runs that one.
var producer = map[string]string{"python iot_device_simulator.py": "spate simulate --devices 2 --interval 100ms --duration 500ms"}

const otherPipeline = "it shows what a pipeline with mistakes printed, which the page does not give"

var pages = map[string]page{
	"README.md": {
		runs: map[string]how{
			"go run ./cmd/spate up": {output: shape},
			`bin/spate query "SELECT TOP 5 * FROM telemetry.aggregated_metrics"`: {retry: true, before: windowsAndAlerts},
			"bin/spate up pipeline.yaml": {before: func(s *session) {
				s.stop()
				s.copyTree("examples/telemetry", ".")
				s.shell("cp spate.yaml pipeline.yaml && rm spate.yaml").Run()
			}},
			"cat > hot.asaql <<'SQL'": {},
			`export EVENT_HUB_CONNECTION_STRING="$(bin/spate connection-string)"`:                      {change: producer, before: func(s *session) { s.start("bin/spate up") }},
			"kcat -b 127.0.0.1:9092 -L -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=PLAIN \\": {before: func(s *session) { kcat(s.t) }},
			"bin/spate simulate --scenario overheating --devices 50 --interval 1s --duration 30s":      {change: map[string]string{"--duration 30s": "--duration 2s"}},
		},
		skips: map[string]string{
			"go test ./...": "it would run this test",
		},
	},
	"docs/command-line.md": {
		setup: func(s *session) {
			s.write("q.asaql", "SELECT COUNT(*) AS n INTO out FROM telemetry TIMESTAMP BY At GROUP BY TumblingWindow(second, 10)\n")
			s.write("events.jsonl", `{"At":"2026-01-01T00:00:01Z","_arrival":"2026-01-01T00:00:01Z"}`+"\n")
			s.write("expected.jsonl", `{"output":"out","row":{"n":1}}`+"\n")
			s.write("rules.csv", "id,most\n1,5\n")
			s.write("newer.csv", "id,most\n1,6\n")
		},
		runs: map[string]how{
			"spate eval --query q.asaql --input telemetry=events.jsonl --arrival _arrival --arrival-drop --fail-on-drop > got.jsonl":                                  {},
			"spate eval --query q.asaql --input telemetry=events.jsonl --reference rules=rules.csv --reference rules=newer.csv,from=2026-01-05T12:00:00Z > got.jsonl": {},
			"spate backup /backups/monday": {before: func(s *session) { s.start("spate up") }, change: map[string]string{"/backups/monday": "monday"}},
		},
	},
	"docs/tables.md": {
		runs: map[string]how{
			"cat > notebook.sql <<'SQL'": {output: shape},
			"cat > upkeep.sql <<'SQL'":   {},
			"spate query --data lakehouse --dialect spark \"SELECT initcap(concat_ws(' ', 'seven', 'halves')) AS text, 7 / 2 AS halves,": {output: shape},
		},
	},
	"docs/testing.md": {
		runs: map[string]how{
			"cat > hot.asaql <<'SQL'": {output: shape, exit: 6},
			"spate test --update":     {output: shape},
			"mkdir -p tests":          {output: shape},
			"mkdir -p myjob/test":     {output: shape},
		},
	},
	"docs/emulator.md": {
		runs: map[string]how{
			"cat > spate.yaml <<'FILE'":            {},
			"curl -s http://127.0.0.1:5300/health": {output: shape, retry: true},
		},
		skips: map[string]string{
			"SPATE_KEY=a-key-of-yours docker compose -f examples/compose/compose.yaml up --build": "it needs docker; TestTheImageRuns runs the same command in a root folder of what the image has",
		},
	},
	"docs/performance.md": {
		skips: map[string]string{
			"spate bench ingest -o table":                                          "it measures for minutes; the tests of cmd/spate and of workload/ingest run it",
			"go build -o bin/spate ./cmd/spate && .ci/tools kafka":                 "it measures for minutes; the test of the module bench runs it",
			"cd bench && go run . -rounds 3 -producers 20 -rate 2000 -duration 6s": "it measures for minutes; the test of the module bench runs it",
		},
	},
	"docs/edge.md": {
		setup: func(s *session) { s.write("spate.yaml", "version: 1\nnamespace: { eventHubs: { in: {} } }\n") },
		runs:  map[string]how{"spate check --strict /etc/spate": {change: map[string]string{"/etc/spate": "."}}},
		skips: map[string]string{
			"sudo useradd --system --home-dir /var/lib/spate --shell /usr/sbin/nologin spate": "it changes the machine; the unit is tested by TestTheUnitFileIsFineForSystemd",
			"sudo install -m 755 spate /usr/local/bin/spate":                                  "it changes the machine",
			"spate bench example": "it measures for a minute; the tests of cmd/spate run it",
		},
	},
	"CONTRIBUTING.md": {
		skips: map[string]string{
			"go build -o bin/spate ./cmd/spate": "it would run this test",
			"go test -tags noduckdb ./...":      "it takes minutes; .ci/run tests with the tag what the tag changes",
		},
	},
	"docs/complete-example.md": {
		setup: func(s *session) {
			s.copyTree("examples/telemetry", ".")
			for _, b := range yamlOf(s.t, "../docs/complete-example.md") {
				if strings.HasPrefix(b, "version: 1\n") {
					s.write("spate.yaml", b)
				}
			}
		},
		runs: map[string]how{
			"spate check": {}, // the script of the example has no warning
			"spate up":    {output: shape},
			`export EVENT_HUB_CONNECTION_STRING="$(spate connection-string)"`: {change: producer},
			`spate query "SELECT TOP 5 * FROM telemetry.raw_telemetry ORDER BY Timestamp DESC"`: {output: head, retry: true, before: func(s *session) {
				if said, err := s.shell("spate simulate --scenario overheating --devices 40 --interval 200ms --duration 30s").CombinedOutput(); err != nil {
					s.t.Fatalf("%v\n%s", err, said)
				}
			}},
			`spate query "SELECT TOP 5 DeviceId, Location, WindowStart, WindowEnd, EventCount, AvgTemperature FROM telemetry.aggregated_metrics WHERE WindowEnd >= DATEADD(hour, -1, GETUTCDATE()) ORDER BY WindowEnd DESC"`: {output: head, before: windowsAndAlerts},
			"spate metrics list --metric InputEvents,OutputEvents,Errors --interval PT1M": {output: head},
			"head -2 alerts.jsonl": {retry: true},
			"spate simulate --scenario overheating --devices 40 --interval 1s --duration 60s":                         {change: map[string]string{"--duration 60s": "--duration 3s"}},
			`spate query -o json "SELECT COUNT(*) AS n, COUNT(DISTINCT EventId) AS ids FROM telemetry.raw_telemetry"`: {output: shape, before: (*session).stop},
			"spate metrics list --metric IncomingMessages --filter \"EntityName eq 'device-telemetry'\"":              {},
		},
		skips: map[string]string{
			"kcat -L -b 127.0.0.1:39092 -X security.protocol=SASL_PLAINTEXT -X sasl.mechanism=PLAIN -X sasl.username='$ConnectionString' -X sasl.password=\"$EVENT_HUB_CONNECTION_STRING\"": otherPipeline,
			`spate simulate --hub device-telemetry --via amqp --connection-string "$WRONG" --duration 2s`:                                                                                   otherPipeline,
			"kcat -P -b 127.0.0.1:29192 [...] -t device-telemetry -p 0 -l events.jsonl":                                                                                                     otherPipeline,
			"spate metrics list --metric InputEvents,OutputEvents,DeserializationError,ConversionErrors,LateInputEvents":                                                                    otherPipeline,
			`spate query "SELECT * FROM telemetry.reading"`:                                                                                                                                 otherPipeline,
		},
	},
}

// windowsAndAlerts waits until both have come, as the line of state says.
func windowsAndAlerts(s *session) {
	s.t.Helper()
	line := regexp.MustCompile(`up \d+s  events in \d+ \(\d+/s\)  rows out [1-9]\d*  alerts [1-9]\d*  delay `)
	rows := regexp.MustCompile(`"n":[1-9]`)
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		said, _ := s.shell(`spate query -o jsonl "SELECT COUNT(*) AS n FROM telemetry.aggregated_metrics"`).CombinedOutput()
		if rows.Match(said) && line.MatchString(s.said.String()) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("no windows and alerts: %s\n%s", said, tail(s.said.String(), 2000))
		}
	}
}
