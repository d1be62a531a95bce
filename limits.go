package spate

import (
	"context"
	"log/slog"

	"spate/hub/eventlog"
	"spate/listen/limit"
	"spate/pipeline"
)

const (
	slowReaders = 256 << 20 // bytes of answers that wait for clients that read slowly
	watchers    = 32        // connections to the console and for health
	reserve     = 16        // descriptors that the log keeps for itself
)

// limits are what clients may cost the pipeline.
type limits struct {
	files                *eventlog.Files
	memory               *limit.Memory
	log                  *limit.Log
	connections, watched *limit.Connections
}

func (p *Pipeline) setLimits(o pipeline.Options) {
	s := share(limit.Descriptors(), o.Listen.MaxConnections)
	l := limits{files: eventlog.NewFiles(s.segments, reserve), memory: limit.NewMemory(slowReaders), log: limit.NewLog(p.log)}
	l.connections = limit.NewConnections(limit.ConnectionOptions{Max: s.connections, Setting: s.setting, Log: l.log, Metrics: p.metrics})
	l.watched = limit.NewConnections(limit.ConnectionOptions{Max: watchers, Setting: "of the console and for health", Log: l.log, Metrics: p.metrics})
	if s.connections < o.Listen.MaxConnections {
		level := slog.LevelWarn
		if o.Listen.MaxConnections == pipeline.DefaultMaxConnections { // nobody has asked for so many
			level = slog.LevelInfo
		}
		p.log.Log(context.Background(), level, "the process may open too few files for so many connections", "files", limit.Descriptors(), "connections", s.connections, "server.maxConnections", o.Listen.MaxConnections)
	}
	p.limits = l
}

// shares are what the descriptors of the process are for. What is left is for tables,
// checkpoints, queries and whoever watches.
type shares struct {
	segments    int // of the log, open at the same time
	connections int
	setting     string // that bounds the connections
}

// share divides the descriptors of a process whose clients may have so many connections.
func share(descriptors, connections int) shares {
	s := shares{segments: min(max(descriptors/8, 16), 1024), connections: connections, setting: "server.maxConnections"}
	rest := min(max(descriptors/8, 96), 1024) // with the reserve
	if left := max(descriptors-s.segments-rest, 8); left < connections {
		s.connections, s.setting = left, "file descriptors (ulimit -n)"
	}
	return s
}
