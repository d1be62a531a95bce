package limit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestMemoryIsTakenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(100)
		var order []int64
		take := func(n int64) {
			go func() {
				if err := m.Take(t.Context(), n); err != nil {
					t.Error(err)
				}
				order = append(order, n)
			}()
			synctest.Wait()
		}
		take(60)
		take(300) // more than there is at all
		take(10)  // there, but behind another
		if len(order) != 1 || m.Taken() != 60 || m.TryTake(1) {
			t.Fatalf("took %v, %d bytes", order, m.Taken())
		}
		m.Give(20)
		m.Give(40)
		synctest.Wait()
		if len(order) != 2 || m.Taken() != 300 {
			t.Fatalf("took %v, %d bytes", order, m.Taken())
		}
		m.Give(300)
		synctest.Wait()
		if len(order) != 3 || m.Taken() != 10 || !m.TryTake(90) || m.TryTake(1) {
			t.Errorf("took %v, %d bytes", order, m.Taken())
		}
	})
}

// Who gives up lets those behind it pass.
func TestMemoryOfOneThatGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(100)
		m.TryTake(60)
		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp error
		small := false
		go func() { gaveUp = m.Take(ctx, 50) }()
		synctest.Wait()
		go func() { small = m.Take(t.Context(), 40) == nil }()
		synctest.Wait()
		if small {
			t.Error("the second went before the first")
		}
		cancel()
		synctest.Wait()
		if !errors.Is(gaveUp, context.Canceled) || !small || m.Taken() != 100 {
			t.Errorf("%v, %v, %d bytes", gaveUp, small, m.Taken())
		}
	})
}

func TestNoMemoryIsNoLimit(t *testing.T) {
	var m *Memory
	if err := m.Take(t.Context(), 1<<50); err != nil || !m.TryTake(1<<50) || m.Taken() != 0 {
		t.Error("a nil Memory has a limit")
	}
	m.Give(1 << 50)
}
