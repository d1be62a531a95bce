package exec

import "spate/column"

// deadlines is a heap of sessions by the time at which to look at them.
type deadlines []deadline

type deadline struct {
	at      column.Ticks
	session int32
}

func (h *deadlines) push(d deadline) {
	*h = append(*h, d)
	s := *h
	i := len(s) - 1
	for i > 0 && d.at < s[(i-1)/2].at {
		s[i] = s[(i-1)/2]
		i = (i - 1) / 2
	}
	s[i] = d
}

// pop takes out the least. The heap is not empty.
func (h *deadlines) pop() deadline {
	s := *h
	least, d := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	i := 0
	for {
		c := 2*i + 1
		if c >= len(s) {
			break
		}
		if c+1 < len(s) && s[c+1].at < s[c].at {
			c++
		}
		if d.at <= s[c].at {
			break
		}
		s[i] = s[c]
		i = c
	}
	if len(s) > 0 {
		s[i] = d
	}
	return least
}
