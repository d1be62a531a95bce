package bind

import (
	"strings"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// Properties of GetMetadataPropertyValue, by group and by lower-case name: what an input
// knows of an event. Where an input does not know it, it is NULL.
// Source: stream-analytics.md 7.6.
var metadata = map[string]map[string]plan.Source{
	"": {
		"eventid":                 property(column.Text, "EventId"),
		"partitionid":             systemColumns["partitionid"],
		"blobname":                property(column.Text, "BlobName"),
		"bloblastmodifiedutctime": property(column.Time, "BlobLastModifiedUtcTime"),
	},
	"eventhub": {
		"eventenqueuedutctime":  systemColumns["eventenqueuedutctime"],
		"eventprocessedutctime": systemColumns["eventprocessedutctime"],
		"partitionid":           systemColumns["partitionid"],
		"offset":                property(column.Text, "EventHub", "Offset"),
		"sequencenumber":        property(column.Int64, "EventHub", "SequenceNumber"),
		"partitionkey":          property(column.Text, "EventHub", "PartitionKey"),
		"publisher":             property(column.Text, "EventHub", "Publisher"),
	},
	"iothub": {
		"messageid":                    property(column.Text, "IoTHub", "MessageId"),
		"correlationid":                property(column.Text, "IoTHub", "CorrelationId"),
		"connectiondeviceid":           property(column.Text, "IoTHub", "ConnectionDeviceId"),
		"connectiondevicegenerationid": property(column.Text, "IoTHub", "AuthGenerationId"),
		"connectionmoduleid":           property(column.Text, "IoTHub", "ConnectionModuleId"),
		"authmethod":                   property(column.Text, "IoTHub", "AuthMethod"),
		"authgenerationid":             property(column.Text, "IoTHub", "AuthGenerationId"),
		"enqueuetime":                  property(column.Time, "IoTHub", "EnqueuedTime"),
		"enqueuedtime":                 property(column.Time, "IoTHub", "EnqueuedTime"),
		"messagesource":                property(column.Text, "IoTHub", "MessageSource"),
		"interfacename":                property(column.Text, "IoTHub", "InterfaceName"),
	},
}

// routed are the names, without IoT, of what the messages of an IoT hub bring along that
// it passes on to an event hub.
var routed = []string{"connectiondeviceid", "authmethod", "authgenerationid", "enqueuetime", "messagesource", "connectionmoduleid", "interfacename"}

// Fields of the records EventHub and IoTHub.
var (
	eventHubFields = []string{"EventEnqueuedUtcTime", "EventProcessedUtcTime", "PartitionId", "Offset", "SequenceNumber", "PartitionKey", "Publisher"}
	iotHubFields   = []string{"MessageId", "CorrelationId", "ConnectionDeviceId", "ConnectionDeviceGenerationId", "EnqueuedTime", "StreamId"}
)

func property(kind column.Kind, path ...string) plan.Source {
	return plan.Source{Kind: plan.Metadata, Path: path, Column: plan.Column{Name: strings.Join(path, "."), Type: kind}}
}

// metadata binds GetMetadataPropertyValue(input, path).
func (q *query) metadata(c *syntax.Call) plan.Expr {
	null := constant(c.Span, column.Value{})
	if len(c.Args) != 2 {
		q.b.fail(c.Span, "", "GetMetadataPropertyValue takes 2 arguments, %d given", len(c.Args))
		return null
	}
	src := q.inputNamed(c.Args[0])
	if src == nil {
		q.b.fail(c.Args[0].Loc(), "write GetMetadataPropertyValue(input, '[EventHub].[PartitionId]')", "the first argument of GetMetadataPropertyValue is the input of this SELECT")
		return null
	}
	name, ok := c.Args[1].(*syntax.Literal)
	if !ok || name.Kind != syntax.StringLit {
		q.b.fail(c.Args[1].Loc(), "write GetMetadataPropertyValue(input, '[EventHub].[PartitionId]')", "the second argument of GetMetadataPropertyValue is a string")
		return null
	}
	switch {
	case q.inTime:
		q.b.fail(c.Span, "use fields of the event", "GetMetadataPropertyValue is not allowed in TIMESTAMP BY")
		return null
	case q.post:
		q.b.fail(c.Span, "add it to GROUP BY or put it into an aggregate such as MAX(...)", "GetMetadataPropertyValue is neither in GROUP BY nor in an aggregate")
		return null
	}
	group, of := metadataPath(name.Text)
	m := metadataOf{q, src, c.Span}
	switch {
	case group == "user" && of == "":
		return m.read(property(column.Record, "User"))
	case group == "user":
		return m.read(property(column.Null, "User", of))
	case group == "eventhub" && of == "":
		return m.eventHub()
	case group == "iothub" && of == "":
		return m.iotHub()
	}
	p, ok := metadata[group][strings.ToLower(of)]
	switch short := strings.ToLower(of); {
	case ok:
		return m.read(p)
	case group == "eventhub" && (short == "messageid" || short == "correlationid"):
		q.b.fail(name.Span, "of what a device has sent it is '[IoTHub].["+of+"]'", "an event hub does not tell the %s of its events", of)
	default:
		q.b.fail(name.Span, "such as '[EventHub].[PartitionId]', '[User].[name]' or 'EventId'", "there is no metadata property '%s'", name.Text)
	}
	return null
}

// inputNamed is the source of this SELECT that an expression names: by its alias, else by
// the name of the input, if one source alone reads it; nil if there is none.
func (q *query) inputNamed(e syntax.Expr) *source {
	p, ok := e.(*syntax.Path)
	if !ok || len(p.Parts) != 1 {
		return nil
	}
	src := q.from.byAlias(p.Parts[0].Name)
	if src == nil {
		for _, s := range q.from.sources {
			if s.stream == nil || !strings.EqualFold(s.stream.node.Name, p.Parts[0].Name) {
				continue
			}
			if src != nil {
				return nil
			}
			src = s
		}
	}
	if src == nil || src.stream == nil {
		return nil
	}
	return src
}

// metadataPath takes a path apart: its group in lower case and the name in it. Names with
// dots stand in brackets, or behind the first dot.
func metadataPath(path string) (group, name string) {
	parts := bracketPath(path)
	if len(parts) == 0 {
		parts = strings.SplitN(path, ".", 2)
	}
	group = strings.ToLower(parts[0])
	switch {
	case len(parts) > 2 || len(parts) == 2 && parts[1] == "":
		return "", path
	case len(parts) == 2 && group == "eventhub" && routedName(parts[1]) != "":
		return "iothub", routedName(parts[1])
	case len(parts) == 2:
		return group, parts[1]
	case group == "user" || group == "eventhub" || group == "iothub":
		return group, ""
	}
	if n := routedName(group); n != "" {
		return "iothub", n
	}
	return "", group
}

// routedName is a name of routed behind its IoT; empty: it is none.
func routedName(name string) string {
	for _, n := range routed {
		if strings.EqualFold(name, "IoT"+n) {
			return n
		}
	}
	return ""
}

// metadataOf reads properties of the events of one source.
type metadataOf struct {
	q   *query
	src *source
	at  syntax.Span
}

func (m metadataOf) read(p plan.Source) plan.Expr {
	return m.src.column(m.q.b, m.src.stream.property(p), m.at)
}

func (m metadataOf) null(e plan.Expr) plan.Expr { return call(m.at, column.Bool, "IS NULL", e) }

// record is a record of properties of one group.
func (m metadataOf) record(group string, fields []string) *plan.Row {
	r := &plan.Row{Base: plan.Base{Static: column.Record, Where: m.at}}
	for _, f := range fields {
		var e plan.Expr = constant(m.at, column.Value{})
		if p, ok := metadata[group][strings.ToLower(f)]; ok {
			e = m.read(p)
		}
		r.Cols, r.Of = append(r.Cols, plan.Column{Name: f, Type: e.Type()}), append(r.Of, e)
	}
	return r
}

// eventHub is the record EventHub, whose Publisher is left out where there is none.
func (m metadataOf) eventHub() plan.Expr {
	all, last := m.record("eventhub", eventHubFields), len(eventHubFields)-1
	short := m.record("eventhub", eventHubFields[:last])
	return &plan.Case{Base: all.Base, Whens: []plan.When{{Cond: m.null(m.read(metadata["eventhub"]["publisher"])), Then: short}}, Else: all}
}

// iotHub is the record IoTHub: NULL for an event that no device has sent.
func (m metadataOf) iotHub() plan.Expr {
	all := m.record("iothub", iotHubFields)
	var none plan.Expr
	for _, e := range all.Of {
		switch {
		case isNull(e):
		case none == nil:
			none = m.null(e)
		default:
			none = call(m.at, column.Bool, "AND", none, m.null(e))
		}
	}
	return &plan.Case{Base: all.Base, Whens: []plan.When{{Cond: none, Then: constant(m.at, column.Value{})}}, Else: all}
}

// property returns the column with a property, which the input from now on reads of each
// event.
func (s *stream) property(p plan.Source) int {
	if p.Kind != plan.Metadata { // the column of the same name
		p.Name = [...]string{plan.EventEnqueued: "EventEnqueuedUtcTime", plan.EventProcessed: "EventProcessedUtcTime", plan.Partition: "PartitionId"}[p.Kind]
		return s.take(strings.ToLower(p.Name), p)
	}
	return s.take("\x00metadata\x00"+strings.Join(p.Path, "\x00"), p)
}
