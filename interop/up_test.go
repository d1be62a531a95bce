package interop

import (
	"os"
	"testing"
)

func TestStartsStopsAndGoesOn(t *testing.T) {
	i := newInstance(t, variant{Query: seed(t, "telemetry-processing.asaql")}).start()
	for _, name := range []string{"amqp", "amqps", "kafka", "console"} {
		if i.info.Addresses[name] == "" {
			t.Errorf("the instance file has no address %s: %v", name, i.info.Addresses)
		}
	}
	i.stop()
	if _, err := os.Stat(i.runFile()); !os.IsNotExist(err) {
		t.Errorf("the instance file after an orderly stop: %v, want none", err)
	}
	i.start()
	i.kill()
	i.start()
	if n := i.number("SELECT COUNT(*) AS n FROM telemetry.raw_telemetry"); n != 0 {
		t.Errorf("%d rows in an empty pipeline", n)
	}
	i.stop()
}
