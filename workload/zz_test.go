package workload

import "testing"

func TestZZ(t *testing.T) {
	r := &Report{}
	if err := measureChange(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	t.Log(r.Figures)
}
