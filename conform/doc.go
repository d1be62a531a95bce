// Package conform holds conformance cases as text and what runs them: a script,
// the events of its inputs, and the rows its outputs must hold. Cases run against
// any Engine; conform/reference is one, the streaming engine another. conform/random makes
// scripts and events for them.
//
// A case is a txtar archive:
//
//	Title, then the rule in a few sentences.
//	Source: where the rule comes from. Those of this project all say it.
//
//	-- settings --       optional, NAME=VALUE lines
//	-- query.sql --
//	-- in/NAME.jsonl --  events in arrival order, once per input
//	-- want/NAME.jsonl -- rows of an output, in any order
//	-- want-error --     instead of rows: a part of the message, in any case
//	-- skipped.jsonl --  rows that a step cannot compute do not end the run; these are they
//
// The arrival time of an event is its field _arrival, which is taken out of the
// payload; else its field t, if that is a time; else what TIMESTAMP BY gives; else
// 2026-01-05T00:00:00Z. So are _partition, which is 0 without it, and what came with the
// event: _key, the partition key, and _properties, a record. Rows are compared as multisets. Key spelling counts, key
// order only with keyorder=true. 3 is a bigint and 3.0 a float; floats may differ
// by 1e-9 of their size. A column that is null and one that is missing differ.
//
// A row that is skipped is written as {"step":NAME,"line":LINE,"row":{...}}, with "output"
// in place of "step" where a statement cannot compute it.
//
// Settings: late and outoforder (seconds; late -1, the default, is unlimited),
// policy (adjust or drop), start (a time), stringCompare (ordinal or ignoreCase),
// joinDatediff (boundary or elapsed), level (1.2, 1.1 or 1.0), keyorder (true or false), noearly (true lifts
// the early limit, which jobs cannot).
//
// Stability: importable, not promised before 1.0.
package conform
