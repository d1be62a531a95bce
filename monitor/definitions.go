package monitor

import "strings"

// Namespaces of metrics.
const (
	EventHubs = "Microsoft.EventHub/namespaces"
	Jobs      = "Microsoft.StreamAnalytics/streamingjobs"
	Pipelines = "Spate/pipelines"
)

// Definition is what is known of a metric.
type Definition struct {
	Namespace    string   `json:"namespace"`
	Name         string   `json:"name"`
	Display      string   `json:"displayName"`
	Unit         string   `json:"unit"`
	Aggregations []string `json:"supportedAggregationTypes"`
	Primary      string   `json:"primaryAggregationType"`
	Dimensions   []string `json:"dimensions"`
}

// Aggregations.
const (
	total   = "Total"
	average = "Average"
	minimum = "Minimum"
	maximum = "Maximum"
	count   = "Count"
)

// Definitions returns the metrics of Event Hubs namespaces and Stream Analytics
// jobs as the services define them.
// Source: supported-metrics pages of the two services (monitoring.md 1.1, 1.2).
func Definitions() []Definition {
	sum := []string{total}
	level := []string{average, maximum, minimum}
	entity := []string{"EntityName"}
	result := []string{"EntityName", "OperationResult"}
	part := []string{"LogicalName", "PartitionId", "ProcessorInstance", "NodeName"}
	return []Definition{
		{EventHubs, "IncomingRequests", "Incoming Requests", "Count", sum, total, entity},
		{EventHubs, "SuccessfulRequests", "Successful Requests", "Count", sum, total, result},
		{EventHubs, "ServerErrors", "Server Errors", "Count", sum, total, result},
		{EventHubs, "UserErrors", "User Errors", "Count", sum, total, result},
		{EventHubs, "ThrottledRequests", "Throttled Requests", "Count", sum, total, result},
		{EventHubs, "QuotaExceededErrors", "Quota Exceeded Errors", "Count", sum, total, result},
		{EventHubs, "IncomingMessages", "Incoming Messages", "Count", sum, total, entity},
		{EventHubs, "OutgoingMessages", "Outgoing Messages", "Count", sum, total, entity},
		{EventHubs, "IncomingBytes", "Incoming Bytes", "Bytes", sum, total, entity},
		{EventHubs, "OutgoingBytes", "Outgoing Bytes", "Bytes", sum, total, entity},
		{EventHubs, "SkippedEvents", "Skipped Events", "Count", sum, total, entity},
		{EventHubs, "ActiveConnections", "Active Connections", "Count", level, average, nil},
		{EventHubs, "ConnectionsOpened", "Connections Opened", "Count", []string{maximum}, maximum, entity},
		{EventHubs, "ConnectionsClosed", "Connections Closed", "Count", []string{maximum}, maximum, entity},
		{EventHubs, "Size", "Size", "Bytes", level, average, entity},
		{EventHubs, "CapturedMessages", "Captured Messages", "Count", sum, total, entity},
		{EventHubs, "CapturedBytes", "Captured Bytes", "Bytes", sum, total, entity},
		{EventHubs, "CaptureBacklog", "Capture Backlog", "Count", sum, total, entity},
		{Jobs, "InputEventsSourcesPerSecond", "Input Sources Received", "Count", sum, total, part},
		{Jobs, "InputEvents", "Input Events", "Count", sum, total, part},
		{Jobs, "InputEventBytes", "Input Event Bytes", "Bytes", sum, total, part},
		{Jobs, "OutputEvents", "Output Events", "Count", sum, total, part},
		{Jobs, "DeserializationError", "Input Deserialization Errors", "Count", sum, total, part},
		{Jobs, "ConversionErrors", "Data Conversion Errors", "Count", sum, total, part},
		{Jobs, "Errors", "Runtime Errors", "Count", sum, total, part},
		{Jobs, "LateInputEvents", "Late Input Events", "Count", sum, total, part},
		{Jobs, "EarlyInputEvents", "Early Input Events", "Count", sum, total, part},
		{Jobs, "DroppedOrAdjustedEvents", "Out of order Events", "Count", sum, total, part},
		{Jobs, "InputEventsSourcesBacklogged", "Backlogged Input Events", "Count", level, maximum, part},
		{Jobs, "OutputWatermarkDelaySeconds", "Watermark Delay", "Seconds", level, maximum, part},
		{Jobs, "ResourceUtilization", "SU (Memory) % Utilization", "Percent", level, maximum, part},
		{Jobs, "ProcessCPUUsagePercentage", "CPU % Utilization", "Percent", level, maximum, part},
	}
}

// define finds a metric in a namespace, ignoring case.
func define(namespace, name string) (Definition, bool) {
	for _, d := range Definitions() {
		if strings.EqualFold(d.Namespace, namespace) && strings.EqualFold(d.Name, name) {
			return d, true
		}
	}
	return Definition{}, false
}

// NamespaceOf is the namespace that a metric belongs to; Spate's own if no service has it.
func NamespaceOf(name string) string {
	for _, d := range Definitions() {
		if strings.EqualFold(d.Name, name) {
			return d.Namespace
		}
	}
	return Pipelines
}
