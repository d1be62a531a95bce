package workload

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"spate/column"
	"spate/stream/exec"
)

// NexmarkOptions say how nexmark is run.
type NexmarkOptions struct {
	Events int       // default 1,000,000, of which the answers are known
	Log    io.Writer // progress, one line per query; may be nil
}

const standardEvents = 1_000_000

// Nexmark runs those queries of Nexmark that Stream Analytics can ask: q4, q6 and q9 need
// joins without a bound of time, and rows that are taken back.
func Nexmark(ctx context.Context, o NexmarkOptions) (*Report, error) {
	if o.Events == 0 {
		o.Events = standardEvents
	}
	r := &Report{Workload: "nexmark"}
	policy := exec.TimePolicy{Late: column.Hour, Disorder: 4 * column.Second}
	return r, questions(ctx, r, o.Log, nexmarkQuestions, "nexmark", nexmarkSource(o.Events, 2), policy, o.Events == standardEvents)
}

// nexmarkSteps are the three kinds of events of the hub.
const nexmarkSteps = `WITH B AS (SELECT bid.auction AS auction, bid.bidder AS bidder, bid.price AS price, bid.channel AS channel,
	bid.url AS url, bid.extra AS extra, dateTime FROM nexmark TIMESTAMP BY dateTime WHERE event_type = 2),
A AS (SELECT auction.id AS id, auction.seller AS seller, auction.category AS category FROM nexmark TIMESTAMP BY dateTime WHERE event_type = 1),
P AS (SELECT person.id AS id, person.name AS name, person.city AS city, person.state AS state FROM nexmark TIMESTAMP BY dateTime WHERE event_type = 0)`

// nexmarkQuestions ask in windows that have their end and not their begin.
var nexmarkQuestions = []question{
	{name: "q0", rows: 920000, checksum: "7e7a5a703602d99d", script: nexmarkSteps + `
SELECT auction, bidder, price, dateTime, extra INTO o FROM B`},
	{name: "q1", rows: 920000, checksum: "8f92d017986c9f3d", script: nexmarkSteps + `
SELECT auction, bidder, 0.908 * price AS price, dateTime, extra INTO o FROM B`},
	{name: "q2", rows: 6878, checksum: "fda3a973e16d5a44", script: nexmarkSteps + `
SELECT auction, price INTO o FROM B WHERE auction % 123 = 0`},
	{name: "q3", rows: 6141, checksum: "ac3f6e6ea2fc0da1", script: nexmarkSteps + `
SELECT P.name, P.city, P.state, A.id INTO o
FROM A JOIN P ON A.seller = P.id AND DATEDIFF(minute, P, A) BETWEEN 0 AND 10
WHERE A.category = 10 AND (P.state = 'OR' OR P.state = 'ID' OR P.state = 'CA')`},
	{name: "q5", rows: 59, checksum: "c343fcfabaee8f30", script: nexmarkSteps + `,
C AS (SELECT auction, COUNT(*) AS num FROM B GROUP BY auction, HoppingWindow(second, 10, 2)),
M AS (SELECT MAX(num) AS maxn FROM C GROUP BY System.Timestamp())
SELECT C.auction, C.num, System.Timestamp() AS endtime INTO o
FROM C JOIN M ON C.num >= M.maxn AND DATEDIFF(millisecond, C, M) BETWEEN 0 AND 0`},
	{name: "q7", rows: 11, checksum: "c25727389af93a44", script: nexmarkSteps + `,
M AS (SELECT MAX(price) AS maxprice FROM B GROUP BY TumblingWindow(second, 10))
SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra INTO o
FROM B JOIN M ON B.price = M.maxprice AND DATEDIFF(millisecond, B, M) BETWEEN 0 AND 9999`},
	{name: "q8", rows: 8488, checksum: "984c2d5f855d1269", script: nexmarkSteps + `,
U AS (SELECT id, name FROM P GROUP BY id, name, TumblingWindow(second, 10)),
S AS (SELECT seller FROM A GROUP BY seller, TumblingWindow(second, 10))
SELECT U.id, U.name, DATEADD(second, -10, System.Timestamp()) AS starttime INTO o
FROM U JOIN S ON U.id = S.seller AND DATEDIFF(millisecond, U, S) BETWEEN 0 AND 0`},
	{name: "q11", rows: 19915, checksum: "c456e70df444d190", script: nexmarkSteps + `
SELECT bidder, COUNT(*) AS bid_count, System.Timestamp() AS endtime INTO o
FROM B GROUP BY bidder, SessionWindow(second, 10, 604800) OVER (PARTITION BY bidder)`},
}

// nexmarkTime is the time of event i: 10,000 a second, to the millisecond.
func nexmarkTime(i int) column.Ticks {
	return benchEpoch + column.Ticks(i/10)*column.Millisecond
}

// nexmarkSource makes n events, which come in the order of their times.
func nexmarkSource(n, parts int) *spreadSource {
	g := &nexmarkGenerator{r: rand.New(rand.NewPCG(1, 2))}
	src := &spreadSource{n: n, parts: parts, body: g.event, arrival: nexmarkTime}
	src.fill()
	return src
}

// nexmarkGenerator makes events by the published model: of fifty one is a person, three
// are auctions, the others bids.
type nexmarkGenerator struct{ r *rand.Rand }

const (
	nexmarkPersons, nexmarkAuctions, nexmarkAll = 1, 3, 50

	firstID      = 1000
	firstCat     = 10
	categories   = 5
	inFlight     = 100  // auctions
	active       = 1000 // persons
	ahead        = 10   // ids that are named before they are made
	hotGroup     = 100
	hotAuctions  = 2 // one bid in so many is not for the hot auction
	hotBidders   = 4
	hotSellers   = 4
	personBytes  = 200
	auctionBytes = 500
	bidBytes     = 100
)

var (
	nexmarkStates = []string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	nexmarkCities = []string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	nexmarkFirst  = []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	nexmarkLast   = []string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
	hotChannels   = []string{"Google", "Facebook", "Baidu", "Apple"}
)

func (g *nexmarkGenerator) event(dst []byte, i int) []byte {
	at := nexmarkTime(i)
	epoch, turn := i/nexmarkAll, i%nexmarkAll
	lastPerson := epoch // from 0
	lastAuction := epoch*nexmarkAuctions + turn - nexmarkPersons
	switch {
	case turn < nexmarkPersons:
		lastAuction = epoch*nexmarkAuctions - 1
	case turn >= nexmarkPersons+nexmarkAuctions:
		lastAuction = epoch*nexmarkAuctions + nexmarkAuctions - 1
	}
	switch {
	case turn < nexmarkPersons:
		return g.person(dst, lastPerson+firstID, at)
	case turn < nexmarkPersons+nexmarkAuctions:
		return g.auction(dst, lastAuction+firstID, lastPerson, at)
	}
	return g.bid(dst, max(lastAuction, 0), lastPerson, at)
}

func (g *nexmarkGenerator) person(dst []byte, id int, at column.Ticks) []byte {
	name := pickOne(g.r, nexmarkFirst) + " " + pickOne(g.r, nexmarkLast)
	email := g.text(7) + "@" + g.text(5) + ".com"
	card := fmt.Sprintf("%04d %04d %04d %04d", g.r.IntN(10000), g.r.IntN(10000), g.r.IntN(10000), g.r.IntN(10000))
	city, state := pickOne(g.r, nexmarkCities), pickOne(g.r, nexmarkStates)
	size := 16 + len(name) + len(email) + len(card) + len(city) + len(state)
	return fmt.Appendf(dst, `{"event_type":0,"dateTime":"%s","person":{"id":%d,"name":%q,"emailAddress":%q,"creditCard":%q,"city":%q,"state":%q,"extra":%q}}`,
		at, id, name, email, card, city, state, g.extra(size, personBytes))
}

func (g *nexmarkGenerator) auction(dst []byte, id, lastPerson int, at column.Ticks) []byte {
	seller := lastPerson / hotGroup * hotGroup
	if g.r.IntN(hotSellers) == 0 {
		seller = g.somePerson(lastPerson)
	}
	item, text := g.text(20), g.text(100)
	first := g.price()
	expires := at + column.Ticks(1+g.r.IntN(20_000))*column.Millisecond
	return fmt.Appendf(dst, `{"event_type":1,"dateTime":"%s","auction":{"id":%d,"itemName":%q,"description":%q,"initialBid":%d,"reserve":%d,"expires":"%s","seller":%d,"category":%d,"extra":%q}}`,
		at, id, item, text, first, first+g.price(), expires, seller+firstID, firstCat+g.r.IntN(categories), g.extra(56+len(item)+len(text), auctionBytes))
}

func (g *nexmarkGenerator) bid(dst []byte, lastAuction, lastPerson int, at column.Ticks) []byte {
	auction := lastAuction / hotGroup * hotGroup
	if g.r.IntN(hotAuctions) == 0 {
		low := max(lastAuction-inFlight, 0)
		auction = low + g.r.IntN(lastAuction-low+1+ahead)
	}
	bidder := lastPerson/hotGroup*hotGroup + 1
	if g.r.IntN(hotBidders) == 0 {
		bidder = g.somePerson(lastPerson)
	}
	var channel, url string
	if g.r.IntN(2) == 0 {
		channel = pickOne(g.r, hotChannels)
		url = g.url("")
	} else {
		n := g.r.IntN(10_000)
		channel = fmt.Sprintf("channel-%d", n)
		if g.r.IntN(10) > 0 {
			url = g.url(fmt.Sprintf("&channel_id=%d", n))
		} else {
			url = g.url("")
		}
	}
	return fmt.Appendf(dst, `{"event_type":2,"dateTime":"%s","bid":{"auction":%d,"bidder":%d,"price":%d,"channel":%q,"url":%q,"extra":%q}}`,
		at, auction+firstID, bidder+firstID, g.price(), channel, url, g.extra(32, bidBytes))
}

// somePerson is one of those who are active, or of the next.
func (g *nexmarkGenerator) somePerson(last int) int {
	n := min(last+1, active)
	return last + 1 - n + g.r.IntN(n+ahead)
}

func (g *nexmarkGenerator) price() int64 {
	return int64(math.Round(math.Pow(10, 6*g.r.Float64()) * 100))
}

func (g *nexmarkGenerator) url(tail string) string {
	return "https://www.nexmark.com/" + g.text(5) + "/" + g.text(5) + "/" + g.text(5) + "/item.htm?query=1" + tail
}

func (g *nexmarkGenerator) text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(g.r.IntN(26))
	}
	return string(b)
}

// extra pads an event to about the size that its kind has on average.
func (g *nexmarkGenerator) extra(size, average int) string {
	if size >= average {
		return ""
	}
	spare := average - size
	delta := spare / 5
	return g.text(spare - delta + g.r.IntN(2*delta+1))
}

func pickOne[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
