package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"spate/internal/process"
	"spate/workload/ingest"
)

func startKfake(ctx context.Context, dir string, partitions int) (*process.Process, ingest.Target, error) {
	p, address, err := startServe(ctx, roleKfake, dir, partitions)
	return p, ingest.Target{Address: address, Hub: topic, Partitions: partitions}, err
}

// kafkaProperties is one node that is broker and controller. What is not said is
// Kafka's default.
const kafkaProperties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[2]s
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`

// kafkaStarter starts Apache Kafka from its jars, with a topic whose flush.messages is
// flush, or the default if that is empty.
func kafkaStarter(jars, flush string) func(context.Context, string, int) (*process.Process, ingest.Target, error) {
	return func(ctx context.Context, dir string, partitions int) (*process.Process, ingest.Target, error) {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return nil, ingest.Target{}, err
		}
		ports, err := freePorts(2)
		if err != nil {
			return nil, ingest.Target{}, err
		}
		file := filepath.Join(dir, "server.properties")
		text := fmt.Sprintf(kafkaProperties, ports[0], ports[1], filepath.Join(dir, "data"))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, ingest.Target{}, err
		}
		java := func(args ...string) *exec.Cmd {
			return exec.Command("java", append([]string{"-Xmx1g", "-cp", filepath.Join(jars, "*")}, args...)...)
		}
		if out, err := java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", file).CombinedOutput(); err != nil {
			return nil, ingest.Target{}, fmt.Errorf("formatting the folder of Kafka: %w\n%s", err, out)
		}
		p, err := process.Start(java("kafka.Kafka", file))
		if err != nil {
			return nil, ingest.Target{}, fmt.Errorf("starting Kafka: %w", err)
		}
		t := ingest.Target{Address: ports[0], Hub: topic, Partitions: partitions}
		if err := makeTopic(ctx, p, &t, flush); err != nil {
			return nil, ingest.Target{}, errors.Join(err, p.Stop())
		}
		return p, t, nil
	}
}

// makeTopic waits until the broker answers and makes the topic. A broker that starts opens
// its port, and may close connections, before it can do more: what fails is tried again.
func makeTopic(ctx context.Context, p *process.Process, t *ingest.Target, flush string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.Address))
	if err != nil {
		return err
	}
	defer client.Close()
	configs := map[string]*string{}
	if flush != "" {
		configs["flush.messages"] = &flush
	}
	var last error
	try := func(ask func(context.Context) error) error {
		return p.Poll(ctx, startTime, func() (bool, error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			last = ask(ctx)
			return last == nil, nil
		})
	}
	err = try(func(ctx context.Context) error {
		_, err := kadm.NewClient(client).CreateTopic(ctx, int32(t.Partitions), 1, configs, t.Hub)
		if errors.Is(err, kerr.TopicAlreadyExists) { // by a try whose answer was lost
			return nil
		}
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("making topic %s: %w", t.Hub, err), last)
	}
	// Leaders are there a moment after the answer; the ends of all partitions say so.
	err = try(func(ctx context.Context) error {
		_, err := ingest.Stored(ctx, t)
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("waiting for topic %s: %w", t.Hub, err), last)
	}
	return nil
}

// freePorts are loopback addresses that nobody listened on a moment ago: Kafka has to be
// told its ports.
func freePorts(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end, so that they differ
		out = append(out, l.Addr().String())
	}
	return out, nil
}
