package config

// Examples of the maps of a file, as the page of the keys shows them.
const (
	serverExample = `server:
  amqp: { port: 7672 }
  kafka: { enabled: false }
  console: { port: 0 }
`
	namespaceExample = `namespace:
  name: eh-telemetry-ns
  authorizationRules:
    devices: { rights: [Send], primaryKey: "${env:DEVICES_KEY}" }
  eventHubs:
    device-telemetry: { partitionCount: 4, messageRetention: 7d, consumerGroups: [dashboard] }
    telemetry-alerts: { partitionCount: 2 }
`
	storageExample = `storage: { path: ./data, container: telemetry-data, database: telemetry }
`
	tablesExample = `tables:
  totals:
    path: delta/totals
    columns: { DeviceId: string, WindowEnd: timestamp, n: long }
    partitionBy: [date(WindowEnd)]
    flush: { interval: 10s }
`
	jobsExample = `jobs:
  totals:
    query: totals.asaql
    eventsLateArrivalMaxDelay: 10s
    deadLetter: { retain: 2d }
    inputs:
      events: { eventHub: device-telemetry }
    outputs:
      totals:
        table: totals
        rename: { WindowEndTime: WindowEnd }
      alerts: { eventHub: telemetry-alerts, partitionKey: DeviceId }
`
	captureExample = `capture:
  device-telemetry:
    table: raw
    columns: { IngestionTime: EventEnqueuedUtcTime }
`
	monitorExample = `monitor:
  actionGroups:
    ops:
      receivers:
        - { name: hook, webhook: "${env:OPS_WEBHOOK}", secret: "${env:OPS_SECRET}" }
        - { name: file, file: alerts.jsonl }
`
	notifyExample = `notify:
  alerts: { hub: telemetry-alerts, actionGroups: [ops] }
`
	simulateExample = `simulate: { hub: device-telemetry, devices: 50, interval: 1s, scenario: overheating }
`
	testsExample = `tests:
  - name: hot devices are told
    job: totals
    input:
      events:
        - { DeviceId: a, Temperature: 20.5 }
        - { DeviceId: b, Temperature: 81.5 }
    expect:
      alerts:
        - { DeviceId: b }
`
)
