package eventlog

// Chunk is what one read brought: whole record batches in offset order. It is
// the caller's and is reused by the next read; batches and records alias it.
type Chunk struct {
	// Data holds the batches, each between two entry headers. At least 16
	// readable bytes follow the last batch.
	Data    []byte
	Batches []Batch

	// Room makes the memory of Data when there is too little: n bytes at least, of length
	// 0. nil: make does.
	Room func(n int) []byte

	plain []byte // the batch that Records decompressed last
	codec decompressor
	hint  place // where the next read in order goes on
}

// Batch is one Kafka RecordBatch v2 in a chunk.
type Batch struct {
	Start, End int   // Data[Start:End] is the whole record batch, from its base offset on
	BaseOffset int64 // offset of the first record
	Count      int   // records
	AppendTime int64 // Unix milliseconds; the enqueued time of all its records
	Origin     Origin
	Mapped     bool  // Kafka readers need translation: $amqp headers, partition keys of AMQP and HTTPS events
	Codec      uint8 // 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
}

// Next is the offset behind the batch.
func (b *Batch) Next() int64 { return b.BaseOffset + int64(b.Count) }

// keepPlain is how large a buffer of decompressed records a chunk keeps.
const keepPlain = 4 << 20

// Reset empties c and keeps its memory, but for what a batch of unusual size took.
// The next read may still go on where the last one ended.
func (c *Chunk) Reset() {
	c.Data, c.Batches = c.Data[:0], c.Batches[:0]
	if cap(c.plain) > keepPlain {
		c.plain = nil
	}
}

// Leave drops all batches but the first n, one at least, for a reader that has
// enough. The next read in order goes on behind them.
func (c *Chunk) Leave(n int) {
	if n < 1 || n >= len(c.Batches) {
		return
	}
	dropped := c.Batches[len(c.Batches)-1].End - c.Batches[n-1].End
	c.Batches = c.Batches[:n]
	c.hint.pos -= int64(dropped) // entries stand in Data as they do in the segment
	c.hint.next = c.Batches[n-1].Next()
}

// Len is the number of records in all batches, those before the offset
// that was asked for included.
func (c *Chunk) Len() int {
	n := 0
	for i := range c.Batches {
		n += c.Batches[i].Count
	}
	return n
}

// room makes memory of n bytes; without Room it is of more.
func (c *Chunk) room(n, more int) []byte {
	if c.Room != nil {
		return c.Room(n)
	}
	return make([]byte, 0, more)
}
