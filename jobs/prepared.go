package jobs

import (
	"context"
	"fmt"
	"strings"

	"spate/blob"
	"spate/connector/deltatable"
	"spate/stream/checkpoint"
)

// Prepared are the data files of tables, by their paths below the table, that the newest
// checkpoints of all jobs in a data folder name: their rows are committed when the job runs
// again, however long that takes, so until then no VACUUM may delete them. Jobs that the
// pipeline does not have any more count too: one may come back.
func Prepared(ctx context.Context, store blob.Store) (func(file string) bool, error) {
	const folder = "/manifest/"
	jobs := make(map[string]bool)
	for info, err := range store.List(ctx, "jobs/", "") {
		if err != nil {
			return nil, fmt.Errorf("listing the checkpoints of the jobs: %w", err)
		}
		if i := strings.Index(info.Key, folder); i >= 0 {
			jobs[info.Key[:i]] = true
		}
	}
	files := make(map[string]bool)
	for prefix := range jobs {
		m, err := checkpoint.NewLog(store, prefix).Latest(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the newest checkpoint of %s: %w", prefix, err)
		}
		if m == nil {
			continue
		}
		for name, note := range m.Notes {
			if !strings.HasPrefix(name, "prepared/") {
				continue
			}
			for _, f := range deltatable.PreparedFiles(note) {
				files[f] = true
			}
		}
	}
	return func(file string) bool { return files[file] }, nil
}
