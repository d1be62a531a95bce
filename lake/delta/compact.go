package delta

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// tierTag says how often the rows of a file have been packed together with others.
const tierTag = "spate.tier"

// fanouts are how many files of a tier become one of the next: what a minute, an hour and a
// day of a commit a second leave; and ten beyond them. A row is rewritten once for each tier, so
// the work grows with the logarithm of the number of commits.
var fanouts = []int{60, 60, 24}

func fanout(tier int) int {
	if tier < len(fanouts) {
		return fanouts[tier]
	}
	return 10
}

// CompactOptions are the settings of Compact.
type CompactOptions struct {
	TargetBytes int64         // files from ¾ of it on are left alone; 0: delta.targetFileSize, else 128 MiB
	Sealed      time.Duration // a partition that got no file for so long is packed whole; default 1 h
	ZOrderBy    []string      // clusters the rows of a partition by these columns when it is packed whole, once
	// Pause is called between two commits, with the time that the last one took.
	Pause func(ctx context.Context, took time.Duration) error
}

// Compact keeps the number of files small while rows come in. Files are packed in tiers, so
// that no row is written more often than there are tiers, whatever the rate of commits: the
// oldest of a tier when there are enough of them. A partition that nothing comes to any more
// is packed whole; a table without partitions is one. Each pack is a commit of its own, to which appends are no conflict.
func (t *Table) Compact(ctx context.Context, o CompactOptions) (OptimizeResult, error) {
	res := OptimizeResult{Version: -1}
	s, err := t.Snapshot(ctx)
	if err != nil {
		return res, err
	}
	fail := func(err error) (OptimizeResult, error) { return res, fmt.Errorf("compact %s: %w", t.prefix, err) }
	if err := s.checkWrite(); err != nil {
		return fail(err)
	}
	if o.Sealed <= 0 {
		o.Sealed = time.Hour
	}
	plain, err := t.rewriter(s, o.TargetBytes, nil, nil)
	if err != nil {
		return fail(err)
	}
	ordered := plain
	if len(o.ZOrderBy) > 0 {
		if ordered, err = t.rewriter(s, o.TargetBytes, o.ZOrderBy, nil); err != nil {
			return fail(err)
		}
	}
	partitions := make(map[string][]*Add)
	for _, a := range s.Files() {
		k := PartitionFolder(s.partitionNames(), a.PartitionValues)
		partitions[k] = append(partitions[k], a)
	}
	before := t.opts.Clock().Add(-o.Sealed).UnixMilli()
	begun, base := time.Now(), s
	pack := func(r *rewriter, bin []*Add, tags map[string]*string) error {
		r.snap = base
		err := r.replace(ctx, bin, tags, true, &res)
		base = r.snap // so that no pack looks at what the ones before it have seen
		// Another one has taken files of this pack away, or changed the table: the next run
		// plans anew.
		if errors.Is(err, ErrDeleteConflict) || errors.Is(err, ErrMetadataChanged) || errors.Is(err, ErrProtocolChanged) {
			err = nil
		}
		if err != nil || o.Pause == nil {
			return err
		}
		took := time.Since(begun)
		err = o.Pause(ctx, took)
		begun = time.Now()
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(partitions)) {
		files := partitions[k]
		res.FilesConsidered += len(files)
		bins := res.Bins
		sealed := !slices.ContainsFunc(files, func(a *Add) bool { return a.ModificationTime > before })
		switch loose := unordered(files); {
		case sealed && len(o.ZOrderBy) > 0 && 10*sizeOf(loose) >= sizeOf(files):
			for _, bin := range ordered.bins(loose, 1) {
				tags := map[string]*string{zOrderTag: &ordered.tag}
				if err := pack(ordered, bin, tags); err != nil {
					return fail(err)
				}
			}
		case sealed:
			for _, bin := range plain.bins(loose, 2) {
				if !worth(bin) {
					continue
				}
				if err := pack(plain, bin, tierTags(bin)); err != nil {
					return fail(err)
				}
			}
		default:
			for _, bin := range plain.tiers(files) {
				if err := pack(plain, bin, tierTags(bin)); err != nil {
					return fail(err)
				}
			}
		}
		if res.Bins > bins {
			res.PartitionsOptimized++
		}
	}
	return res, nil
}

// unordered are the files that no run has clustered.
func unordered(files []*Add) []*Add {
	return slices.DeleteFunc(slices.Clone(files), func(a *Add) bool { return a.Tags[zOrderTag] != nil })
}

func sizeOf(files []*Add) (size int64) {
	for _, a := range files {
		size += a.Size
	}
	return size
}

// worth reports whether packing a partition that is at rest again is worth it: some rows that
// came late are no reason to write all others anew.
func worth(bin []*Add) bool {
	largest := int64(0)
	for _, a := range bin {
		largest = max(largest, a.Size)
	}
	return len(bin) >= 20 || 4*(sizeOf(bin)-largest) >= largest
}

// tier is how often the rows of a file have been packed.
func tier(a *Add) int {
	if text := a.Tags[tierTag]; text != nil {
		if n, err := strconv.Atoi(*text); err == nil && n > 0 {
			return min(n, 99)
		}
	}
	return 0
}

// tierTags are those of the file that a pack becomes.
func tierTags(bin []*Add) map[string]*string {
	most := 0
	for _, a := range bin {
		most = max(most, tier(a))
	}
	text := strconv.Itoa(most + 1)
	return map[string]*string{tierTag: &text}
}

// tiers chooses the packs of a partition that rows still come to: of each tier the oldest
// files, when there are enough.
func (r *rewriter) tiers(files []*Add) [][]*Add {
	var of [100][]*Add
	for _, a := range files {
		if a.Size < r.target*3/4 && a.Tags[zOrderTag] == nil {
			of[tier(a)] = append(of[tier(a)], a)
		}
	}
	var bins [][]*Add
	for n, list := range of {
		want := fanout(n)
		for len(list) >= want {
			// As many as make a file of the target, and all that are enough where they are small.
			size, k := int64(0), 0
			for k < want && (k < 2 || size+list[k].Size <= r.target) {
				size += list[k].Size
				k++
			}
			bins = append(bins, list[:k])
			list = list[k:]
		}
	}
	return bins
}
