package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"spate/internal/process"
	"spate/workload/ingest"
)

// peer is a log that is measured.
type peer struct {
	name  string
	syncs string // when it acknowledges
	via   string // the client

	lacks  func() string // what is missing here; empty: nothing
	start  func(ctx context.Context, dir string, partitions int) (*process.Process, ingest.Target, error)
	stored func(ctx context.Context, t *ingest.Target) (int64, error)
}

const spateName = "Spate"

func peers(o *options) []*peer {
	nothing := func() string { return "" }
	spate := func(ctx context.Context, dir string, partitions int) (*process.Process, ingest.Target, error) {
		return ingest.StartHub(ctx, o.spate, dir, partitions)
	}
	java := func() string {
		if _, err := exec.LookPath("java"); err != nil {
			return "there is no java"
		}
		if jars, err := filepath.Glob(filepath.Join(o.kafka, "kafka_*.jar")); err != nil || len(jars) == 0 {
			return "there are no jars in " + o.kafka + ": .ci/tools installs them, -kafka names them"
		}
		return ""
	}
	const synced = "the disk has it"
	return []*peer{
		{name: spateName, syncs: synced, via: "kafka", lacks: nothing, start: spate, stored: ingest.Stored},
		{name: "Spate over AMQP", syncs: synced, via: "amqp", lacks: nothing, start: spate, stored: ingest.Stored},
		{name: "Apache Kafka, flush.messages=1", syncs: synced, via: "kafka", lacks: java, start: kafkaStarter(o.kafka, "1"), stored: ingest.Stored},
		{name: "Apache Kafka, defaults", syncs: "the system has it", via: "kafka", lacks: java, start: kafkaStarter(o.kafka, ""), stored: ingest.Stored},
		{name: "NATS JetStream, SyncAlways", syncs: synced, via: viaNATS, lacks: nothing, start: startNATS, stored: storedNATS},
		{name: "NATS JetStream, SyncAlways, atomic batches", syncs: synced, via: viaAtomic, lacks: nothing, start: startNATS, stored: storedNATS},
		{name: "kfake, SyncWrites", syncs: synced, via: "kafka", lacks: nothing, start: startKfake, stored: ingest.Stored},
	}
}

// versions are those of the peers.
func versions(jars string) []string {
	out := []string{"nats-server " + server.VERSION}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if strings.HasSuffix(m.Path, "/kfake") {
				out = append(out, "kfake "+m.Version)
			}
		}
	}
	if found, err := filepath.Glob(filepath.Join(jars, "kafka_*.jar")); err == nil {
		for _, jar := range found {
			out = append(out, strings.TrimSuffix(filepath.Base(jar), ".jar"))
		}
	}
	return out
}

// measure runs one load against a new server of the peer, in a new folder.
func (p *peer) measure(ctx context.Context, dir string, l ingest.Load) (o *ingest.Outcome, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	running, target, err := p.start(ctx, dir, l.Partitions)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := running.Stop(); err == nil {
			err = e
		}
	}()
	l.Target, l.Via = target, p.via
	producers, err := self(roleProducers)
	if err != nil {
		return nil, err
	}
	if o, err = ingest.Measure(ctx, producers, running, &l); err != nil {
		return nil, err
	}
	stored, err := p.stored(ctx, &target)
	if err != nil {
		return nil, fmt.Errorf("counting what is stored: %w", err)
	}
	return o, o.CheckStored(stored)
}
