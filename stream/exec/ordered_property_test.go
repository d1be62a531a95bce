package exec_test

import "testing"

// Each window gives what its definition says over random rows, whatever the batches,
// watermarks, checkpoints, restores and shards.

func TestSlidingIsWhatItsDefinitionSays(t *testing.T) {
	checkWindow(t, "SlidingWindow(second, 3)", 3, byKey)
}

func TestSessionIsWhatItsDefinitionSays(t *testing.T) {
	checkWindow(t, "SessionWindow(second, 2, 5)", 1, nowhere)
}

func TestSessionPerPartitionIsWhatItsDefinitionSays(t *testing.T) {
	checkWindow(t, "SessionWindow(second, 2, 5) OVER (PARTITION BY p)", 3, byPartition)
}

func TestSessionThatIsCutOftenIsWhatItsDefinitionSays(t *testing.T) {
	checkWindow(t, "SessionWindow(second, 5, 2) OVER (PARTITION BY p)", 3, byPartition)
}

func TestSessionPerGroupIsWhatItsDefinitionSays(t *testing.T) {
	checkWindow(t, "SessionWindow(second, 2, 5) OVER (PARTITION BY k)", 3, byKey)
}

func TestSeveralWindowsAreInOrderOfTime(t *testing.T) {
	checkWindow(t, "Windows(Window('s', SlidingWindow(second, 3)), Window('t', TumblingWindow(second, 2)), Window('g', SessionWindow(second, 2, 5)))", 1, nowhere)
}
