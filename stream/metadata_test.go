package stream_test

import (
	"context"
	"slices"
	"testing"

	"spate/connector"
	"spate/connector/file"
	"spate/stream"
)

// asked is a source that notes which facts its readers are asked for.
type asked struct {
	connector.Source
	facts []connector.Fact
}

func (a *asked) OpenReader(ctx context.Context, part int, from connector.Start) (connector.Reader, error) {
	a.facts = append(a.facts, from.Facts...)
	return a.Source.OpenReader(ctx, part, from)
}

// A source is asked for what the script reads of it, once, and for nothing else.
func TestASourceIsAskedForWhatTheScriptReads(t *testing.T) {
	for _, c := range []struct {
		script string
		want   []connector.Fact
	}{
		{"SELECT *, EventEnqueuedUtcTime INTO o FROM i", nil},
		{"SELECT GetMetadataPropertyValue(i, '[EventHub].[PartitionId]') AS p INTO o FROM i", nil},
		{"SELECT GetMetadataPropertyValue(i, 'User.a') AS a, GetMetadataPropertyValue(i, '[User].[a]') AS b INTO o FROM i; SELECT GetMetadataPropertyValue(x, 'User.a') AS c INTO o FROM i x TIMESTAMP BY t",
			[]connector.Fact{{Kind: connector.Property, Name: "a"}}},
		{"SELECT GetMetadataPropertyValue(i, '[EventHub].[Offset]') AS a, GetMetadataPropertyValue(i, '[EventHub].[SequenceNumber]') AS b INTO o FROM i", []connector.Fact{{Kind: connector.Sequence}}},
		{"SELECT GetMetadataPropertyValue(i, 'IoTAuthMethod') AS a INTO o FROM i", []connector.Fact{{Kind: connector.Gateway, Name: "iothub-connection-auth-method"}}},
	} {
		src := &asked{Source: file.NewSource(nil, 1, 0)}
		j, err := stream.New(t.Context(), stream.Options{Name: "j", Plan: compile(t, c.script), Inputs: map[string]stream.Input{"i": {Source: src}},
			Outputs: map[string]connector.Sink{"o": new(table)}, IdleTick: -1, Start: stream.Start{Oldest: true}})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(src.facts, c.want) {
			t.Errorf("%s: asked for %v, want %v", c.script, src.facts, c.want)
		}
	}
}
