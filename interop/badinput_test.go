package interop

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"spate/access"
)

// metric is the total of a metric over the last hour.
func (i *instance) metric(name string, args ...string) float64 {
	i.t.Helper()
	var answer struct {
		Value []struct {
			Timeseries []struct {
				Data []struct{ Total json.Number }
			}
		}
	}
	decode(i.t, []byte(i.spate(append([]string{"metrics", "list", "--metric", name, "--interval", "PT1M", "-o", "json"}, args...)...)), &answer)
	sum := 0.0
	for _, m := range answer.Value {
		for _, s := range m.Timeseries {
			for _, p := range s.Data {
				if p.Total != "" {
					f, err := p.Total.Float64()
					if err != nil {
						i.t.Fatal(err)
					}
					sum += f
				}
			}
		}
	}
	return sum
}

// health is what the health page says.
func (i *instance) health() (code int, text string) {
	i.t.Helper()
	resp, err := http.Get("http://" + i.info.Addresses["console"] + "/healthz")
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// produce sends values to a partition over Kafka.
func (i *instance) produce(t testing.TB, partition int32, values ...string) error {
	t.Helper()
	c := i.kafka(t, kgo.RetryTimeout(5*time.Second), kgo.RecordDeliveryTimeout(6*time.Second), kgo.ProducerBatchMaxBytes(8<<20))
	defer c.Close()
	var batch []*kgo.Record
	for _, v := range values {
		batch = append(batch, &kgo.Record{Topic: telemetryHub, Partition: partition, Value: []byte(v)})
	}
	return c.ProduceSync(patience(t), batch...).FirstErr()
}

// good is an event as a device sends it.
func good(id string) string {
	return fmt.Sprintf(`{"DeviceId":"device-001","Location":"Office","DeviceType":"HVAC","Temperature":21.5,"Humidity":40,"Pressure":1013.2,"BatteryLevel":90,"SignalStrength":-60,"Timestamp":"2026-01-05T10:00:00","EventId":"%s"}`, id)
}

func (i *instance) hasEvents(want int64) func() bool {
	return func() bool {
		return i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry WHERE DeviceId = 'device-001'") >= want
	}
}

func short(t testing.TB) variant {
	t.Helper()
	query, err := filepath.Abs(filepath.Join("testdata", "short.asaql"))
	if err != nil {
		t.Fatal(err)
	}
	return variant{Query: query, WindowStart: "DATEADD(second, -2, WindowEndTime)", Flush: "200ms"}
}

func TestEventsThatAreNoJSON(t *testing.T) {
	t.Parallel()
	i := newInstance(t, short(t)).start()
	bad := []string{`{"DeviceId":`, `no JSON at all`, `42`, `"text"`, "\xff\xfe\x00", `{"a":1}}`, strings.Repeat(`[`, 100_000)}
	for k, v := range bad {
		if err := i.produce(t, int32(k%4), good(fmt.Sprint("before-", k)), v, good(fmt.Sprint("behind-", k))); err != nil {
			t.Fatal(err)
		}
	}
	n := int64(2 * len(bad))
	eventually(t, 20*time.Second, "the good events in raw_telemetry", i.hasEvents(n))
	eventually(t, 20*time.Second, "their windows in aggregated_metrics", func() bool {
		return i.number("SELECT COALESCE(SUM(EventCount), 0) AS n FROM telemetry.aggregated_metrics") >= n
	})
	if got := i.metric("DeserializationError"); got != float64(len(bad)) {
		t.Errorf("DeserializationError is %v, want %d", got, len(bad))
	}
	if got := i.metric("Errors"); got != 0 {
		t.Errorf("Errors is %v", got)
	}
	if got := i.metric("IncomingMessages", "--resource", "eventhub/"+telemetryHub); got != float64(3*len(bad)) {
		t.Errorf("IncomingMessages is %v, want %d", got, 3*len(bad))
	}
	if code, text := i.health(); code != http.StatusOK {
		t.Errorf("health: %d %s", code, text)
	}
	i.stop()
}

// A value that the script cannot compute with stops its job, as the service does,
// with the place in the script; the rest of the pipeline goes on.
func TestValuesOfWrongTypes(t *testing.T) {
	t.Parallel()
	i := newInstance(t, short(t)).start()
	if err := i.produce(t, 0, good("1"), strings.Replace(good("2"), "21.5", `"hot"`, 1), strings.Replace(good("3"), `"2026-01-05T10:00:00"`, "[7]", 1), good("4")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the events that fit in raw_telemetry", i.hasEvents(2))
	code := 0
	var text string
	eventually(t, 20*time.Second, "a failed job on the health page", func() bool {
		code, text = i.health()
		return code != http.StatusOK
	})
	if !strings.Contains(text, "sa-telemetry-processor") || !strings.Contains(text, "line ") || !strings.Contains(text, "'hot'") {
		t.Errorf("health says %d %s, want the job, the place and the value", code, text)
	}
	if got := i.metric("Errors"); got != 1 {
		t.Errorf("Errors is %v, want 1", got)
	}
	if err := i.produce(t, 1, good("5")); err != nil {
		t.Errorf("sending after the failure: %v", err)
	}
	eventually(t, 20*time.Second, "later events in raw_telemetry", i.hasEvents(3))
	if !strings.Contains(i.log.String(), "TypeConversionError") {
		t.Error("the rows that do not fit raw_telemetry are not reported")
	}
	i.stop()
}

func TestOversizedEvents(t *testing.T) {
	t.Parallel()
	i := newInstance(t, short(t)).start()
	large := make([]byte, 2<<20)
	crand.Read(large) // so that no client makes it smaller
	if err := i.produce(t, 0, string(large)); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("2 MiB over Kafka: %v, want %v", err, kerr.MessageTooLarge)
	}
	p := i.producer(t, telemetryHub)
	b, err := p.NewEventDataBatch(patience(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.AddEventData(&azeventhubs.EventData{Body: large}, nil); !errors.Is(err, azeventhubs.ErrEventDataTooLarge) {
		t.Errorf("2 MiB over AMQP: %v, want %v", err, azeventhubs.ErrEventDataTooLarge)
	}
	send(t, p, nil, &azeventhubs.EventData{Body: []byte(good("1"))})
	if err := i.produce(t, 0, good("2")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "both good events in raw_telemetry", i.hasEvents(2))
	i.stop()
}

func TestWrongKeysAndExpiredTokens(t *testing.T) {
	t.Parallel()
	o := short(t)
	o.Rules = "{ sender: { rights: [Send], primaryKey: '${env:INTEROP_KEY}' } }"
	i := newInstance(t, o)
	i.env = []string{"INTEROP_KEY=c2VuZGVyIGtleQ=="}
	i.start()
	endpoint := "Endpoint=sb://" + i.info.Addresses["amqp"] + ";"
	tail := ";UseDevelopmentEmulator=true;"
	resource := "sb://" + i.info.Addresses["amqp"] + "/" + telemetryHub
	for _, c := range []struct {
		name       string
		connection string
		works      bool
	}{
		{"right key", endpoint + "SharedAccessKeyName=sender;SharedAccessKey=c2VuZGVyIGtleQ==" + tail, true},
		{"wrong key", endpoint + "SharedAccessKeyName=sender;SharedAccessKey=d3Jvbmc=" + tail, false},
		{"unknown rule", endpoint + "SharedAccessKeyName=nobody;SharedAccessKey=c2VuZGVyIGtleQ==" + tail, false},
		{"fresh token", endpoint + "SharedAccessSignature=" + access.Sign(resource, "sender", "c2VuZGVyIGtleQ==", time.Now().Add(time.Hour)) + tail, true},
		{"expired token", endpoint + "SharedAccessSignature=" + access.Sign(resource, "sender", "c2VuZGVyIGtleQ==", time.Now().Add(-time.Hour)) + tail, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &amqpClient{connection: c.connection}
			defer a.close()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			err := a.send(ctx, [][]byte{[]byte(good(c.name))})
			var refused *azeventhubs.Error
			switch {
			case c.works && err != nil:
				t.Errorf("over AMQP: %v", err)
			case !c.works && (!errors.As(err, &refused) || refused.Code != azeventhubs.ErrorCodeUnauthorizedAccess):
				t.Errorf("over AMQP: %v, want %v", err, azeventhubs.ErrorCodeUnauthorizedAccess)
			}
			k := i.kafkaAs(t, c.connection, kgo.RetryTimeout(time.Second), kgo.RecordDeliveryTimeout(2*time.Second))
			defer k.Close()
			err = k.ProduceSync(ctx, &kgo.Record{Topic: telemetryHub, Value: []byte(good(c.name))}).FirstErr()
			switch {
			case c.works && err != nil:
				t.Errorf("over Kafka: %v", err)
			case !c.works && !errors.Is(err, kerr.SaslAuthenticationFailed):
				t.Errorf("over Kafka: %v, want %v", err, kerr.SaslAuthenticationFailed)
			}
		})
	}
	eventually(t, 20*time.Second, "the events of those that may send", i.hasEvents(4))
	if n := countRecords(i.readLog(t, telemetryHub)); n != 4 {
		t.Errorf("the log holds %d events, want 4", n)
	}
	i.stop()
}

// Kafka clients come in without SASL where the file says so, and only there.
func TestAnonymousKafkaClients(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		o := short(t)
		o.Anonymous = allowed
		i := newInstance(t, o).start()
		c, err := kgo.NewClient(kgo.SeedBrokers(i.info.Addresses["kafka"]), kgo.RetryTimeout(3*time.Second), kgo.RecordDeliveryTimeout(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		err = c.ProduceSync(patience(t), &kgo.Record{Topic: telemetryHub, Value: []byte(good("1"))}).FirstErr()
		c.Close()
		if (err == nil) != allowed {
			t.Errorf("a client without SASL, allowAnonymous %v: %v", allowed, err)
		}
		i.stop()
	}
}
