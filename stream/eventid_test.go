package stream

import "testing"

// Events of one message have ids of their own, which stay what they are.
// Source: RFC 9562, 5.5; the ids are computed by Python's uuid.uuid5.
func TestEventIDs(t *testing.T) {
	for i, want := range []string{"06341f63-fe60-5d94-ae84-e03e55f421df", "6e125681-0981-5a49-86b5-490c96d1da8e"} {
		if got := eventID("hub/h/1700000000000/0/7", i); got != want {
			t.Errorf("event %d: %s, want %s", i, got, want)
		}
	}
}
