package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/twmb/franz-go/pkg/kfake"

	"spate/internal/process"
)

// topic is what clients of Kafka's protocol write to.
const topic = "events"

// serve is the process of a log that is a Go library: role, folder, partitions. It says
// its address in a file of the folder and runs until it is told to stop.
func serve(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s: want a folder and a number of partitions", args[0])
	}
	partitions, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var address string
	switch dir := filepath.Join(args[1], "data"); args[0] {
	case roleNATS:
		s, err := server.NewServer(&server.Options{
			Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true,
		})
		if err != nil {
			return err
		}
		s.Start()
		defer func() {
			s.Shutdown()
			s.WaitForShutdown()
		}()
		if !s.ReadyForConnections(startTime) {
			return errors.New("the server of NATS did not open its port")
		}
		address = s.ClientURL()
	case roleKfake:
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir), kfake.SyncWrites(), kfake.SeedTopics(int32(partitions), topic))
		if err != nil {
			return err
		}
		defer c.Close()
		address = c.ListenAddrs()[0]
	}
	file := addressFile(args[1])
	if err := os.WriteFile(file+".new", []byte(address), 0o644); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func addressFile(dir string) string { return filepath.Join(dir, "address") }

const startTime = time.Minute

// startServe runs serve as a process and returns its address.
func startServe(ctx context.Context, role, dir string, partitions int) (*process.Process, string, error) {
	cmd, err := self(role, dir, strconv.Itoa(partitions))
	if err != nil {
		return nil, "", err
	}
	p, err := process.Start(cmd)
	if err != nil {
		return nil, "", err
	}
	var address []byte
	err = p.Poll(ctx, startTime, func() (bool, error) {
		var err error
		address, err = os.ReadFile(addressFile(dir))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("starting %s: %w", role, err), p.Stop())
	}
	return p, string(address), nil
}
