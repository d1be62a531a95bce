// What a function finds, made safe: nothing that tells the time or gives a number by
// chance, nothing that makes code of text, every built-in with a size told to the machine.
// Run once a machine, before the function; then all of it is frozen.
(function (charge, walk, pattern, newDate) {
  'use strict';
  const G = globalThis, R = Reflect, O = Object;
  const apply = R.apply, define = O.defineProperty, own = R.ownKeys, freeze = O.freeze, entries = O.entries, keys = O.keys, isArray = Array.isArray, M = Map, Z = Set;
  const refuse = (what, why) => { throw new TypeError(what + ' is not available in a function of a job: ' + why); };
  const hide = (o, k, v) => define(o, k, { value: v, writable: true, configurable: true, enumerable: false });
  const size = v => typeof v === 'string' ? v.length : v !== null && typeof v === 'object' ? (v.length >>> 0) || (v instanceof M || v instanceof Z ? v.size : 0) : 0;
  const sizes = (t, a) => { let n = size(t); for (let i = 0; i < a.length; i++) n += size(a[i]); return n; };

  // Steps by element for arrays, one for so many characters for texts.
  const guard = (o, k, cost) => {
    const f = o[k];
    if (typeof f !== 'function') return;
    hide(o, k, { [k](...a) { charge(cost(this, a)); return apply(f, this, a); } }[k]);
  };
  const guards = (o, cost, except) => own(o).forEach(k => {
    const d = O.getOwnPropertyDescriptor(o, k);
    if (k !== 'constructor' && typeof d.value === 'function' && !except.includes(k)) guard(o, k, cost);
  });
  const elements = (t, a) => 64 + 16 * sizes(t, a);
  const chars = (t, a) => 64 + sizes(String(t), a);

  // Built-ins that go into what they hold look how deep that is.
  let depth = 0;
  const nested = (o, k) => {
    const f = o[k];
    hide(o, k, function (...a) {
      charge(64 + size(this) * (16 + size(a[0])));
      if (++depth > 100) { depth = 0; throw new RangeError('nested too deeply'); }
      try { return apply(f, this, a); } finally { if (depth > 0) depth--; }
    });
  };
  const arrayJoin = Array.prototype, typed = O.getPrototypeOf(Int8Array.prototype);
  for (const p of [arrayJoin, typed]) {
    guards(p, elements, ['join', 'toLocaleString', 'toString', 'push', 'pop', 'at', 'keys', 'values', 'entries', 'flat', Symbol.iterator]);
    guard(p, 'push', (t, a) => 64 + 16 * a.length);
    nested(p, 'join');
    nested(p, 'toLocaleString');
  }
  const flat = Array.prototype.flat;
  hide(Array.prototype, 'flat', function (...a) { walk(this); return apply(flat, this, a); });

  const S = String.prototype;
  guards(S, chars, ['charAt', 'charCodeAt', 'codePointAt', 'at', 'toString', 'valueOf', 'repeat', 'padStart', 'padEnd', 'replace', 'replaceAll',
    'match', 'matchAll', 'search', 'split', 'concat', Symbol.iterator]);
  guard(S, 'repeat', (t, a) => 64 + String(t).length * Math.max(0, +a[0] || 0));
  for (const k of ['padStart', 'padEnd']) guard(S, k, (t, a) => 64 + Math.max(0, +a[0] || 0));
  guard(S, 'concat', (t, a) => { let n = String(t).length; for (const x of a) n += String(x).length; return 64 + n; });
  guard(S, 'split', (t, a) => 64 + 8 * String(t).length);
  const replacing = (t, a) => {
    const n = String(t).length, r = typeof a[1] === 'function' ? 0 : String(a[1]).length;
    return 64 + 8 * n + n * r + (r > 0 && /\$[`']/.test(a[1]) ? n * n * r : 0);
  };
  guard(S, 'replace', replacing);
  guard(S, 'replaceAll', replacing);

  const wrapped = (name, make, statics) => {
    const C = G[name];
    if (C === undefined) return;
    const W = function (...a) { return make(C, a, new.target); };
    for (const k of own(C)) {
      if (k === 'prototype' || k === 'length' || k === 'name') continue;
      define(W, k, O.getOwnPropertyDescriptor(C, k));
    }
    define(W, 'name', { value: name, configurable: true });
    define(W, 'prototype', { value: C.prototype, writable: false });
    O.setPrototypeOf(W, O.getPrototypeOf(C));
    hide(C.prototype, 'constructor', W);
    hide(G, name, W);
    if (statics) statics(W, C);
  };
  const length = a => 64 + 16 * (a.length === 1 && typeof a[0] === 'number' ? Math.max(0, a[0] || 0) : sizes(null, a));
  const sized = (C, a, t) => { charge(length(a)); return t ? R.construct(C, a, t) : apply(C, undefined, a); };
  const longs = a => 64 + 8 * (a.length && typeof a[0] === 'object' && a[0] !== null ? Math.max(size(a[0]), a[0].byteLength >>> 0) : Math.max(0, +a[0] || 0));
  const long = (C, a, t) => { charge(longs(a)); return t ? R.construct(C, a, t) : apply(C, undefined, a); };
  wrapped('Array', sized, W => { guard(W, 'from', (t, a) => 64 + 8 * size(a[0])); guard(W, 'of', (t, a) => 64 + 8 * a.length); });
  for (const k of ['Map', 'Set', 'WeakMap', 'WeakSet']) wrapped(k, (C, a, t) => { charge(64 + 16 * size(a[0])); return t ? R.construct(C, a, t) : apply(C, undefined, a); });
  for (const k of ['ArrayBuffer', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array']) wrapped(k, long);
  guard(ArrayBuffer.prototype, 'slice', t => 64 + (t.byteLength >>> 0));
  for (const C of [Map, Set]) guard(C.prototype, 'forEach', t => 64 + 8 * size(t));

  // Patterns.
  const X = RegExp;
  const checked = (p, f) => {
    if (p instanceof X) { if (f === undefined) return; p = p.source; }
    pattern(p === undefined ? '' : String(p), f === undefined ? '' : String(f));
  };
  wrapped('RegExp', (C, a, t) => { checked(a[0], a[1]); return t ? R.construct(C, a, t) : apply(C, undefined, a); });
  delete X.prototype.compile;
  for (const k of ['exec', 'test', Symbol.match, Symbol.matchAll, Symbol.replace, Symbol.search, Symbol.split]) {
    const f = X.prototype[k];
    if (typeof f !== 'function') continue;
    hide(X.prototype, k, function (...a) { charge(replacing(String(a[0]), [0, a.length > 1 ? a[1] : ''])); return apply(f, this, a); });
  }
  for (const k of ['match', 'matchAll', 'search']) {
    const f = S[k];
    hide(S, k, function (...a) {
      charge(8 + 8 * String(this).length);
      if (a[0] === undefined || a[0] === null || typeof a[0] !== 'object') checked(a[0]);
      return apply(f, this, a);
    });
  }

  // JSON and what lists the members of an object.
  const parse = JSON.parse, stringify = JSON.stringify;
  hide(JSON, 'parse', function (t, ...a) { t = String(t); charge(8 + 8 * t.length); walk(t); return parse(t, ...a); });
  // The value is copied first, as deep as it may be: what toJSON, getters and a replacer give
  // could go on without end.
  const copy = (holder, key, replace, level) => {
    let v = holder[key];
    if (v !== null && typeof v === 'object' && typeof v.toJSON === 'function') v = v.toJSON(key);
    if (typeof replace === 'function') v = apply(replace, holder, [key, v]);
    if (v === null || typeof v !== 'object' || v instanceof Number || v instanceof String || v instanceof Boolean) return v;
    if (level > 200) throw new RangeError('nested too deeply');
    if (isArray(v)) {
      charge(64 + 16 * v.length);
      const out = [];
      for (let i = 0; i < v.length; i++) define(out, i, { value: copy(v, String(i), replace, level + 1), writable: true, enumerable: true, configurable: true });
      return out;
    }
    const names = isArray(replace) ? replace.map(String) : keys(v), out = {};
    charge(64 + 16 * names.length);
    for (const k of names) if (!isArray(replace) || k in v) define(out, k, { value: copy(v, k, replace, level + 1), writable: true, enumerable: true, configurable: true });
    return out;
  };
  hide(JSON, 'stringify', function (v, replace, space) {
    const s = stringify(copy({ '': v }, '', replace, 0), undefined, space);
    charge(64 + size(s));
    return s;
  });
  for (const k of ['keys', 'values', 'entries', 'assign', 'freeze', 'seal', 'isFrozen', 'isSealed', 'defineProperties', 'getOwnPropertyNames', 'getOwnPropertyDescriptors', 'fromEntries', 'groupBy', 'preventExtensions']) {
    guard(O, k, (t, a) => { let n = 64; for (const x of a) n += 16 * (x !== null && typeof x === 'object' ? Math.max(own(x).length, size(x)) : size(x)); return n; });
  }
  guard(O, 'create', () => 1024);
  guard(O, 'setPrototypeOf', () => 1024);
  const proto = O.getOwnPropertyDescriptor(O.prototype, '__proto__');
  if (proto) define(O.prototype, '__proto__', { get: proto.get, set(v) { charge(1024); apply(proto.set, this, [v]); }, configurable: true, enumerable: false });
  guard(Function.prototype, 'bind', () => 65536);
  guard(Function.prototype, 'apply', (t, a) => 64 + 64 * size(a[1]));
  for (const k of ['parseInt', 'parseFloat', 'escape', 'unescape', 'encodeURI', 'encodeURIComponent', 'decodeURI', 'decodeURIComponent']) guard(G, k, (t, a) => 64 + size(a[0]));
  guard(Number, 'parseFloat', (t, a) => 64 + size(a[0]));
  guard(Number, 'parseInt', (t, a) => 64 + size(a[0]));

  // The time of day and chance.
  const again = 'a result must be the same whenever it is computed; ';
  hide(Math, 'random', function () { refuse('Math.random()', again + 'compute with a value of the event'); });
  const D = Date, DP = D.prototype, utc = D.UTC, read = D.parse;
  const noTime = what => refuse(what, again + 'pass System.Timestamp() or a column');
  const zoneless = t => {
    if (/^\s*[+-]?\d{4,6}(-\d\d(-\d\d)?)?\s*$/.test(t) || /(Z|GMT|UTC?|[+-]\d\d:?\d\d)\s*(\([^)]*\))?\s*$/i.test(t) && /:/.test(t)) return read(t);
    let v = read(t + 'Z');
    if (v !== v) v = read(t + ' GMT');
    return v === v ? v : read(t);
  };
  wrapped('Date', (C, a, t) => {
    if (!t) noTime('Date()');
    if (a.length === 0) noTime('new Date()');
    let v = a.length > 1 ? utc(...a) : a[0];
    if (v instanceof D) v = v.getTime();
    if (v !== null && typeof v === 'object') v = v[Symbol.toPrimitive] || v.valueOf ? (typeof v.valueOf() === 'object' ? String(v) : v.valueOf()) : NaN;
    if (typeof v === 'string') { charge(8 + v.length); v = v.length > 200 ? NaN : zoneless(v); }
    return R.construct(C, [v], t);
  }, W => {
    hide(W, 'now', function () { noTime('Date.now()'); });
    hide(W, 'parse', function (s) { s = String(s); return s.length > 200 ? NaN : zoneless(s); });
  });
  for (const k of ['FullYear', 'Month', 'Date', 'Hours', 'Minutes', 'Seconds', 'Milliseconds', 'Day']) {
    hide(DP, 'get' + k, DP['getUTC' + k]);
    if (k !== 'Day') hide(DP, 'set' + k, DP['setUTC' + k]);
  }
  hide(DP, 'getYear', function () { return this.getUTCFullYear() - 1900; });
  hide(DP, 'setYear', function (y) { y = +y; return this.setUTCFullYear(y >= 0 && y <= 99 ? 1900 + Math.trunc(y) : y); });
  hide(DP, 'getTimezoneOffset', function () { const t = this.getTime(); return t === t ? 0 : NaN; });
  const text = DP.toUTCString;
  const day = d => { const s = apply(text, d, []); return s.slice(0, 3) + ' ' + s.slice(8, 11) + ' ' + s.slice(5, 7) + ' ' + s.slice(12, -13); };
  const clock = d => apply(text, d, []).slice(-12, -4) + ' GMT+0000 (UTC)';
  const valid = (d, f) => { const t = d.getTime(); return t === t ? f(d) : 'Invalid Date'; };
  for (const [k, f] of entries({
    toString: d => day(d) + ' ' + clock(d), toDateString: day, toTimeString: clock,
    toLocaleString: d => day(d) + ' ' + clock(d), toLocaleDateString: day, toLocaleTimeString: clock,
  })) hide(DP, k, { [k]() { return valid(this, f); } }[k]);

  // What makes code of text, and what a function has no use for.
  const noCode = function () { refuse('making code of text', 'write a function'); };
  const F = Function;
  for (const f of [F, (function* () { }).constructor, (async function () { }).constructor, (async () => { }).constructor]) {
    hide(f.prototype, 'constructor', noCode);
  }
  define(noCode, 'prototype', { value: F.prototype, writable: false });
  hide(G, 'Function', noCode);
  hide(G, 'eval', noCode);
  for (const k of ['Proxy', 'Reflect', 'Promise', 'BigInt', 'BigInt64Array', 'BigUint64Array', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry', 'DataView']) delete G[k];

  // Nothing of this may change any more.
  const seen = new Set();
  const list = [G];
  const has = O.prototype.hasOwnProperty;
  const add = v => {
    if (v === null || typeof v !== 'object' && typeof v !== 'function' || seen.has(v)) return;
    seen.add(v);
    // A built-in that is no constructor holds nothing but its name.
    if (typeof v === 'function' && !apply(has, v, ['prototype'])) freeze(v); else list.push(v);
  };
  add(O.getPrototypeOf([][Symbol.iterator]()));
  add(O.getPrototypeOf(''[Symbol.iterator]()));
  add(O.getPrototypeOf(new Map()[Symbol.iterator]()));
  add(O.getPrototypeOf(new Set()[Symbol.iterator]()));
  add(O.getPrototypeOf('x'.matchAll(/x/g)));
  add(O.getPrototypeOf(function* () { }));
  add(O.getPrototypeOf((function* () { })()));
  add(O.getPrototypeOf(async function () { }));
  while (list.length > 0) {
    const o = list.pop();
    add(O.getPrototypeOf(o));
    for (const k of own(o)) {
      const d = O.getOwnPropertyDescriptor(o, k);
      if ('value' in d) add(d.value); else { add(d.get); add(d.set); }
    }
    freeze(o);
  }
})
