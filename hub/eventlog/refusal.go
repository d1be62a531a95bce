package eventlog

import (
	"errors"
	"path/filepath"
	"time"
)

// probeEvery is how often a partition that refused an append looks whether it would take
// one now.
const probeEvery = 2 * time.Second

// Refusal is why appends are refused for now: no space, no file descriptor. nil: they are
// not, or for good, as Err says. It passes by itself, whether somebody appends or not.
func (p *Partition) Refusal() error {
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	if p.err != nil {
		return nil
	}
	return p.refusal
}

// refuseForNow notes why a group of size bytes was refused. It needs appendMu.
func (p *Partition) refuseForNow(err error, size int) {
	if p.refusal == nil {
		p.log.o.Log.Warn("appends are refused", "partition", p.id, "err", err)
	}
	p.refusal = err
	if p.prober == nil && p.err == nil {
		p.probeLater(size)
	}
}

// probeLater needs appendMu.
func (p *Partition) probeLater(size int) {
	p.prober = time.AfterFunc(probeEvery, func() { p.probe(size) })
}

// stopProbing needs appendMu.
func (p *Partition) stopProbing() {
	if p.prober != nil {
		p.prober.Stop()
		p.prober = nil
	}
}

// probe ends the refusal if there is room for as much as was refused.
func (p *Partition) probe(size int) {
	p.appendMu.Lock()
	p.prober = nil
	if p.err != nil || p.refusal == nil {
		p.appendMu.Unlock()
		return
	}
	p.probing = true
	p.appendMu.Unlock()
	err := tryWrite(p.log.fs, filepath.Join(p.dir, "probe.tmp"), size)
	p.appendMu.Lock()
	defer p.appendMu.Unlock()
	p.probing = false
	p.room.Broadcast()
	switch {
	case p.err != nil || p.refusal == nil:
	case err == nil:
		p.refusal = nil
		p.log.o.Log.Info("appends are taken again", "partition", p.id)
	default:
		p.probeLater(size)
	}
}

// tryWrite writes a file of size bytes as a new segment is written, and removes it.
func tryWrite(fs fileSystem, path string, size int) error {
	f, err := fs.Create(path)
	if err != nil {
		return err
	}
	zeros := make([]byte, min(size, 64<<10))
	for at := 0; at < size && err == nil; at += len(zeros) {
		_, err = f.WriteAt(zeros, int64(at))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fs.SyncDir(filepath.Dir(path))
	}
	return errors.Join(err, f.Close(), fs.Remove(path))
}
