package conform

import (
	"sync"

	"spate/pipeline"
	"spate/sql/bind"
	"spate/sql/plan"
)

// Functions are functions that any script of a test may call: random scripts do.
var Functions = sync.OnceValues(func() ([]*plan.Function, error) {
	return bind.NewFunctions([]pipeline.Function{
		{Name: "half", Kind: pipeline.ScalarFunction, Text: "function main(x) { return typeof x === 'number' ? x / 2 : 0.5 }"},
		{Name: "kind", Kind: pipeline.ScalarFunction, Text: `
var names = { number: 'n', string: 's', boolean: 'b' }; // of what is no object
function main(x) {
	if (x === null) return 'null';
	if (typeof x !== 'object') return names[typeof x] + x;
	if (x instanceof Date) return x.toISOString();
	return JSON.stringify(x);
}`},
		{Name: "same", Kind: pipeline.ScalarFunction, Text: "function main(x) { return x }"},
		{Name: "fails", Kind: pipeline.ScalarFunction, Text: `
function main(x) {
	if (x === null) throw new RangeError('no value');
	return x > 1 ? x.length.length : 1;
}`},
		// It depends on the order of its rows, and on their times.
		{Name: "order", Kind: pipeline.AggregateFunction, Text: `
function main() {
	this.init = function () { this.h = 7; };
	this.accumulate = function (value, timestamp) {
		var s = JSON.stringify(value) + timestamp.getTime();
		for (var i = 0; i < s.length; i++) this.h = (this.h * 31 + s.charCodeAt(i)) | 0;
	};
	this.deaccumulate = function (value, timestamp) { this.h = 0; };
	this.deaccumulateState = function (other) { this.h = 0; };
	this.computeResult = function () { return this.h; };
}`},
		{Name: "newest", Kind: pipeline.AggregateFunction, Text: `
class main {
	init() { this.seen = new Map(); }
	accumulate(value) { if (value !== null) this.seen.set('v', value); }
	computeResult() { return this.seen.get('v'); }
}`},
		{Name: "few", Kind: pipeline.AggregateFunction, Text: `
function main() {
	this.init = function () { this.n = 0; };
	this.accumulate = function (value) { if (++this.n > 3) throw new Error('too many'); };
	this.computeResult = function () { return this.n; };
}`},
	})
})
