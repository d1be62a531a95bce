package exec

// AtMost lets a key have n attempts that are not decided.
func (m *Match) AtMost(n int) { m.most = n }
