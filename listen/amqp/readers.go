package amqp

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	wire "spate/wire/amqp"
)

// maxReaders is how many receivers without an epoch may read a partition in a
// consumer group.
const maxReaders = 5

// book knows who reads what: per hub, consumer group and partition.
type book struct {
	mu    sync.Mutex // guards seats
	seats map[string][]*reader
}

// reader is one receiver's place in the book.
type reader struct {
	seat  string
	name  string // receiver name, "" if the client gave none
	epoch *int64 // nil: none
	link  *link
}

func seatOf(hub, group string, partition int) string {
	return fmt.Sprintf("%s|%s|%d", strings.ToLower(hub), strings.ToLower(group), partition)
}

func (r *reader) quoted() string {
	if r.name == "" {
		return "nil"
	}
	return r.name
}

// admit gives r its place or says why not. losers are the receivers that r
// takes it from, each with what it is to be told; the caller detaches them.
// Source: event-hubs.md 4.10; one text quotes its epochs unevenly as the
// service does, and an SDK matches it.
func (b *book) admit(r *reader) (losers map[*reader]*wire.Error, refused *wire.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seats == nil {
		b.seats = make(map[string][]*reader)
	}
	seated := b.seats[r.seat]
	if r.epoch == nil {
		for _, old := range seated {
			if old.epoch != nil {
				return nil, fault(condStolen, "At least one receiver for the endpoint is created with epoch of '%d', and so non-epoch receiver is not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or disconnected.", *old.epoch)
			}
		}
		if len(seated) >= maxReaders {
			names := make([]string, 0, maxReaders)
			for _, old := range seated {
				names = append(names, old.quoted())
			}
			return nil, fault(condLimit, "Exceeded the maximum number of allowed receivers per partition in a consumer group which is %d. List of connected receivers - %s.", maxReaders, strings.Join(names, ", "))
		}
		b.seats[r.seat] = append(seated, r)
		return nil, nil
	}
	for _, old := range seated {
		if old.epoch != nil && *old.epoch > *r.epoch {
			return nil, fault(condStolen, "Receiver '%s' with a higher epoch '%d' already exists. Receiver '%s' with epoch %d cannot be created. Make sure you are creating receiver with increasing epoch value to ensure connectivity, or ensure all old epoch receivers are closed or disconnected.", old.quoted(), *old.epoch, r.quoted(), *r.epoch)
		}
	}
	losers = make(map[*reader]*wire.Error)
	for _, old := range seated {
		oldEpoch := "nil"
		if old.epoch != nil {
			oldEpoch = fmt.Sprint(*old.epoch)
		}
		losers[old] = fault(condStolen, "New receiver '%s' with higher epoch of '%d' is created hence current receiver '%s' with epoch '%s' is getting disconnected. If you are recreating the receiver, make sure a higher epoch is used.", r.quoted(), *r.epoch, old.quoted(), oldEpoch)
	}
	b.seats[r.seat] = []*reader{r}
	return losers, nil
}

// leave frees the place of r. It may be called twice.
func (b *book) leave(r *reader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seated := b.seats[r.seat]
	if i := slices.Index(seated, r); i >= 0 {
		seated = slices.Delete(slices.Clone(seated), i, i+1)
	}
	if len(seated) == 0 {
		delete(b.seats, r.seat)
		return
	}
	b.seats[r.seat] = seated
}
