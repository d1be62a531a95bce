package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples are what --help of a verb shows, a line each.
var examples = map[string]string{
	"up": `
spate up
spate up pipeline.yaml --watch
spate up --ports auto --no-simulator`,
	"check": `
spate check pipeline.yaml --strict
spate check --print
spate check --schema > spate.schema.json`,
	"test": `
spate test
spate test tests/ --run hot --junit results.xml
spate test myproject/asaproj.json --output-dir results
spate test --update`,
	"eval": `
spate eval --query q.asaql --input events=events.jsonl --arrival At
spate eval -e "SELECT COUNT(*) AS n INTO out FROM events GROUP BY TumblingWindow(second, 10)" --input events=events.csv
spate eval --job alerts --input telemetry=hub:device-telemetry@2026-01-01T00:00:00Z.. --output alerts=alerts.parquet
spate eval --query q.asaql --input events=- --output out=delta:./table < events.jsonl`,
	"query": `
spate query "SELECT TOP 5 * FROM telemetry.aggregated_metrics"
spate query --file report.sql -o csv
spate query --param id=device-001 "SELECT COUNT(*) AS n FROM telemetry.raw_telemetry WHERE DeviceId = @id"
spate query --dialect spark "SELECT DeviceId, round(avg(Temperature), 1) AS average FROM telemetry.raw_telemetry GROUP BY DeviceId"
spate query --stats "SELECT MAX(Temperature) AS hottest FROM telemetry.raw_telemetry"`,
	"status": `
spate status
spate status -o json`,
	"connection-string": `
export EVENT_HUB_CONNECTION_STRING="$(spate connection-string)"
spate connection-string --tls --hub device-telemetry`,
	"hub list": `
spate hub list
spate hub list -o tsv`,
	"table list": `
spate table list
spate table list -o json`,
	"table describe": `
spate table describe telemetry.raw_telemetry`,
	"table history": `
spate table history telemetry.raw_telemetry --limit 10`,
	"table analyze": `
spate table analyze telemetry.raw_telemetry
spate table analyze telemetry.raw_telemetry --columns DeviceId,Location`,
	"table optimize": `
spate table optimize telemetry.raw_telemetry
spate table optimize telemetry.raw_telemetry --where "TimestampDate < '2026-01-01'" --zorder-by DeviceId,Timestamp`,
	"table vacuum": `
spate table vacuum telemetry.raw_telemetry --dry-run
spate table vacuum telemetry.raw_telemetry --retain 240h`,
	"table restore": `
spate table restore telemetry.raw_telemetry --version 12
spate table restore telemetry.raw_telemetry --timestamp 2026-01-02T03:04:05Z`,
	"hub delete": `
spate hub delete old-telemetry --yes`,
	"backup": `
spate backup /backups/monday
spate backup /backups/monday --data data -o json`,
	"restore": `
spate restore /backups/monday --data new`,
	"job list": `
spate job list
spate job list -o tsv`,
	"job start": `
spate job start alerts
spate job start alerts --output-start-mode CustomTime --output-start-time 2026-01-01T00:00:00Z`,
	"job stop": `
spate job stop alerts
spate job stop alerts --no-drain`,
	"job explain": `
spate job explain alerts --sample 5
spate job explain alerts --format mermaid
spate job explain alerts --why device-telemetry/0/17`,
	"deadletter list": `
spate deadletter list`,
	"deadletter show": `
spate deadletter show alerts --kind late --max 10`,
	"deadletter replay": `
spate deadletter replay alerts --all`,
	"deadletter drop": `
spate deadletter drop alerts --older 7d`,
	"metrics list": `
spate metrics list --metric InputEvents,OutputEvents,Errors --interval PT1M
spate metrics list --resource eventhub/device-telemetry --metric IncomingMessages --interval PT5M --offset 6h
spate metrics list --resource namespace --metric IncomingMessages --split EntityName -o json`,
	"metrics list-definitions": `
spate metrics list-definitions`,
	"simulate": `
spate simulate --scenario overheating --devices 50 --interval 1s --duration 30s
spate simulate --via amqp --rate 1000 --hub device-telemetry
spate simulate --dry-run --devices 3 --interval 1s --duration 5s > events.jsonl`,
	"certs": `
spate certs`,
	"certs init": `
spate certs init --host gateway.local`,
	"bench": `
spate bench seed3 --duration 10s
spate bench example --against ./spate-before
spate bench ingest --output table
spate bench ingest --via amqp --producers 20 --rate 2000`,
	"version": `
spate version -o json`,
}

// showExamples gives the verbs below cmd their examples.
func showExamples(root *cobra.Command) {
	for path, lines := range examples {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil {
			panic("examples of " + path + ": " + err.Error()) // there is no such verb
		}
		cmd.Example = "  " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n  ")
	}
}
