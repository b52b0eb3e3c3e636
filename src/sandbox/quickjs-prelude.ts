/**
 * Evaluated in every QuickJS context before anything else. It keeps its own references to the builtins, so nothing
 * that runs later can change what it does. `host` is the functions that the host offers. A plain program gets the
 * first part only.
 *
 * Values cross between the judge's context and the solution's as a graph of nodes in JSON, like rpc.py's: data as
 * data, functions and instances by reference. An array or object that the callee changes is changed for the caller.
 */
const common = String.raw`(function (host, globals) {
'use strict';
const { stringify, parse } = JSON, { isArray, from: toArray } = Array, { ownKeys, apply, construct } = Reflect, { imul } = Math;
const { getPrototypeOf, getOwnPropertyDescriptor, defineProperty, is, keys: enumerable } = Object;
const uncurry = (f) => (self, ...rest) => apply(f, self, rest);
const $ = {}; // builtin methods, safe from later patches
for (const [kind, names] of [[Map, 'get set has entries clear'], [Set, 'add has values clear'], [Array, 'push pop map join slice'],
  [Date, 'getTime'], [Promise, 'then']]) for (const name of names.split(' ')) $[kind.name + name] = uncurry(kind.prototype[name]);
const regexpSource = uncurry(getOwnPropertyDescriptor(RegExp.prototype, 'source').get);
const regexpFlags = uncurry(getOwnPropertyDescriptor(RegExp.prototype, 'flags').get);
const builtins = { Map, Set, Date, RegExp, Promise, Proxy, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, Symbol,
  Object, Array, String, Number, Boolean, BigInt, Function, Math, JSON, Reflect };
const Map_ = Map, Set_ = Set, Proxy_ = Proxy, Promise_ = Promise, Error_ = Error, BigInt_ = BigInt, Number_ = Number, String_ = String;

// --- text of values, for console ---
function show(value, depth, seen) {
  if (typeof value === 'string') return depth ? stringify(value) : value;
  if (typeof value === 'bigint') return String_(value) + 'n';
  if (typeof value === 'function') return '[Function: ' + (value.name || 'anonymous') + ']';
  if (typeof value !== 'object' || value === null) return is(value, -0) ? '-0' : String_(value);
  if ($.Sethas(seen, value)) return '[Circular]';
  if (depth > 4) return isArray(value) ? '[Array]' : '[Object]';
  $.Setadd(seen, value);
  const inner = (v) => show(v, depth + 1, seen);
  if (value instanceof Error_) return value.name + ': ' + value.message + '\n' + (value.stack || '');
  if (isArray(value)) return value.length ? '[ ' + $.Arrayjoin($.Arraymap(value, inner), ', ') + ' ]' : '[]';
  if (value instanceof Map_) return 'Map(' + value.size + ') {' + $.Arrayjoin($.Arraymap(toArray(value), (e) => inner(e[0]) + ' => ' + inner(e[1])), ', ') + '}';
  if (value instanceof Set_) return 'Set(' + value.size + ') {' + $.Arrayjoin($.Arraymap(toArray(value), inner), ', ') + '}';
  if (value instanceof Date || value instanceof RegExp) return String_(value);
  const parts = $.Arraymap(enumerable(value), (key) => key + ': ' + inner(value[key]));
  return parts.length ? '{ ' + $.Arrayjoin(parts, ', ') + ' }' : '{}';
}
const line = (values) => $.Arrayjoin($.Arraymap(values, (v) => show(v, 0, new Set_())), ' ') + '\n';
const out = (...values) => host.write(1, line(values)), err = (...values) => host.write(2, line(values));
globals.console = { log: out, info: out, debug: out, error: err, warn: err, trace: err };

// --- timers in virtual time: the next one is due as soon as nothing else is left to do ---
let clock = 0, timerId = 0;
const timers = new Map_();
const schedule = (f, delay, rest, every) => {
  $.Mapset(timers, ++timerId, { f, rest, due: clock + (Number_(delay) > 0 ? Number_(delay) : 0), every });
  return timerId;
};
globals.setTimeout = (f, delay, ...rest) => schedule(f, delay, rest, undefined);
globals.setInterval = (f, delay, ...rest) => schedule(f, delay, rest, Number_(delay) > 1 ? Number_(delay) : 1);
globals.clearTimeout = globals.clearInterval = (id) => { timers.delete(id); };
globals.queueMicrotask = (f) => { $.Promisethen(Promise_.resolve(), f); };
function runTimer() {
  let next, id;
  for (const entry of $.Mapentries(timers)) if (!next || entry[1].due < next.due) [id, next] = entry;
  if (!next) return false;
  clock = next.due;
  if (next.every) next.due += next.every; else timers.delete(id);
  next.f(...next.rest);
  return true;
}

// --- the workspace and the input ---
globals.sandbox = {
  readFile: (path) => host.readFile(String_(path)), writeFile: (path, text) => host.writeFile(String_(path), String_(text)),
  listFiles: () => parse(host.listFiles()), stdin: '', args: [],
};
globals.module = { exports: {} };
globals.exports = globals.module.exports;
function setInput(stdin, args) { globals.sandbox.stdin = stdin; globals.sandbox.args = parse(args); }

// --- the same random numbers in every run: two of mulberry32's make one of 53 bits ---
let seed = 0;
function word() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return (t ^ (t >>> 14)) >>> 0;
}
Math.random = () => ((word() >>> 5) * 67108864 + (word() >>> 6)) / 9007199254740992;

function describe(error) {
  if (error instanceof Error_) return [String_(error.name), String_(error.message), String_(error.stack || '')];
  return ['', show(error, 0, new Set_()), ''];
}`

const crossing = String.raw`// --- values across contexts ---
const offered = new Map_(), offeredIds = new Map_(), remotes = new Map_(), remoteIds = new Map_();
let offerCount = 0;
function offer(value) {
  let id = $.Mapget(offeredIds, value);
  if (id === undefined) { id = ++offerCount; $.Mapset(offered, id, value); $.Mapset(offeredIds, value, id); }
  return id;
}
const isAtom = (v) => v === null || typeof v === 'boolean' || typeof v === 'string' || (typeof v === 'number' && v - v === 0 && !is(v, -0));
function encode(roots) {
  const nodes = [], index = new Map_(), queue = [];
  const reference = (value) => {
    if (isAtom(value)) return value;
    let at = $.Mapget(index, value);
    if (at === undefined || is(value, -0)) { at = nodes.length; $.Arraypush(nodes, null); $.Mapset(index, value, at); $.Arraypush(queue, at, value); }
    return [at];
  };
  const references = $.Arraymap(roots, reference);
  for (let i = 0; i < queue.length; i += 2) nodes[queue[i]] = node(queue[i + 1], reference);
  return { nodes, roots: references };
}
function entriesOf(value, reference) {
  const list = [];
  for (const key of enumerable(value)) $.Arraypush(list, key, reference(value[key]));
  return list;
}
function node(value, reference) {
  if (value === undefined) return ['undefined'];
  if (typeof value === 'number') return ['number', is(value, -0) ? '-0' : String_(value)];
  if (typeof value === 'bigint') return ['bigint', String_(value)];
  if (typeof value === 'symbol') return ['symbol', String_(value.description)];
  const theirs = $.Mapget(remoteIds, value);
  if (theirs !== undefined) return ['yours', theirs];
  if (typeof value === 'function') return ['function', offer(value), String_(value.name)];
  if (isArray(value)) {
    const list = [];
    for (let i = 0; i < value.length; i++) $.Arraypush(list, i in value ? reference(value[i]) : [-1]);
    return ['array', list];
  }
  const prototype = getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return ['object', entriesOf(value, reference)];
  if (value instanceof Promise_) return promiseNode(value, reference);
  if (prototype === Map_.prototype) { const l = []; for (const e of $.Mapentries(value)) $.Arraypush(l, reference(e[0]), reference(e[1])); return ['map', l]; }
  if (prototype === Set_.prototype) { const l = []; for (const e of $.Setvalues(value)) $.Arraypush(l, reference(e)); return ['set', l]; }
  if (prototype === Date.prototype) return ['date', String_($.DategetTime(value))];
  if (prototype === RegExp.prototype) return ['regexp', regexpSource(value), regexpFlags(value)];
  if (value instanceof Error_) return ['error', String_(value.name), String_(value.message)];
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return ['typed', prototype.constructor.name, $.Arraymap(toArray(value), reference)];
  return ['instance', offer(value), String_(prototype.constructor && prototype.constructor.name)];
}
const settled = new Map_();
function promiseNode(value, reference) {
  const state = $.Mapget(settled, value);
  if (!state) return ['promise', 'pending'];
  return ['promise', state.kind, reference(state.value)];
}
function watchPromises(value, depth) {
  if (value instanceof Promise_ && !$.Maphas(settled, value)) {
    $.Promisethen(value, (v) => { $.Mapset(settled, value, { kind: 'fulfilled', value: v }); watchPromises(v, 0); },
      (e) => { $.Mapset(settled, value, { kind: 'rejected', value: e }); });
  } else if (isArray(value) && depth < 3) for (const item of value) watchPromises(item, depth + 1);
}
function remote(kind, id, name) {
  let made = $.Mapget(remotes, id);
  if (made) return made;
  const call = (operation, ...rest) => ask(operation, id, rest);
  if (kind === 'function') {
    made = new Proxy_(function () {}, {
      apply: (_, self, list) => call('apply', self === globals || self === undefined ? null : self, ...list),
      construct: (_, list) => call('construct', ...list),
      get: (target, key) => typeof key === 'symbol' || key === 'constructor' ? target[key] : call('get', key),
      set: (_, key, value) => { call('set', key, value); return true; },
    });
  } else {
    made = new Proxy_({}, {
      get: (_, key) => typeof key !== 'symbol' ? call('get', key) : key === Symbol.iterator ? call('iterator') : key === Symbol.toStringTag ? name : undefined,
      set: (_, key, value) => { call('set', key, value); return true; },
      has: (_, key) => typeof key === 'string' && call('has', key),
      ownKeys: () => call('keys'),
      getOwnPropertyDescriptor: (_, key) => typeof key === 'string' && call('has', key) ? { value: call('get', key), enumerable: true, configurable: true, writable: true } : undefined,
    });
  }
  $.Mapset(remotes, id, made); $.Mapset(remoteIds, made, id);
  return made;
}
function decode(graph, seeded) {
  const { nodes, roots } = graph, built = new Map_();
  const put = (at, value) => { $.Mapset(built, at, value); return value; };
  const get = (part) => {
    if (!isArray(part)) return part;
    const at = part[0];
    if ($.Maphas(built, at)) return $.Mapget(built, at);
    const [kind, a, b] = nodes[at], seed = seeded && $.Mapget(seeded, at);
    switch (kind) {
      case 'undefined': return put(at, undefined);
      case 'number': return put(at, a === '-0' ? -0 : Number_(a));
      case 'bigint': return put(at, BigInt_(a));
      case 'symbol': return put(at, builtins.Symbol(a));
      case 'yours': return put(at, $.Mapget(offered, a));
      case 'function': case 'instance': return put(at, remote(kind, a, b));
      case 'date': return put(at, new builtins.Date(Number_(a)));
      case 'regexp': return put(at, new builtins.RegExp(a, b));
      case 'error': { const E = builtins[a]; const e = new (typeof E === 'function' && E.prototype instanceof Error_ ? E : Error_)(b); if (e.name !== a) e.name = a; return put(at, e); }
      case 'typed': { if (!/^[A-Z]\w+Array$/.test(a)) throw new TypeError('typed'); return put(at, globals[a].from($.Arraymap(b, get))); }
      case 'promise': {
        const p = a === 'pending' ? new Promise_(() => {}) : a === 'fulfilled' ? Promise_.resolve(get(b)) : Promise_.reject(get(b));
        return put(at, p);
      }
      case 'array': {
        const list = put(at, seed || []);
        const items = $.Arraymap(a, (p) => isArray(p) && p[0] === -1 ? undefined : get(p));
        list.length = items.length;
        for (let i = 0; i < items.length; i++) if (isArray(a[i]) && a[i][0] === -1) delete list[i]; else list[i] = items[i];
        return list;
      }
      case 'object': {
        const object = put(at, seed || {}), wanted = new Set_();
        for (let i = 0; i < a.length; i += 2) { $.Setadd(wanted, a[i]); defineProperty(object, a[i], { value: get(a[i + 1]), enumerable: true, configurable: true, writable: true }); }
        if (seed) for (const key of enumerable(object)) if (!$.Sethas(wanted, key)) delete object[key];
        return object;
      }
      case 'map': { const map = put(at, seed || new Map_()), l = $.Arraymap(a, get); $.Mapclear(map); for (let i = 0; i < l.length; i += 2) $.Mapset(map, l[i], l[i + 1]); return map; }
      case 'set': { const set = put(at, seed || new Set_()), l = $.Arraymap(a, get); $.Setclear(set); for (const v of l) $.Setadd(set, v); return set; }
    }
    throw new TypeError('unknown node ' + kind);
  };
  return { values: $.Arraymap(roots, get), built };
}
const isContainer = (v) => typeof v === 'object' && v !== null && (isArray(v) || v instanceof Map_ || v instanceof Set_ || getPrototypeOf(v) === Object.prototype) && !$.Maphas(remoteIds, v);

// Our containers by node of the request: decode gives them back in the order in which encode numbered them.
function containersOf(graph, roots) {
  const found = new Map_(), seen = new Set_(), stack = [];
  const visit = (part, value) => { if (isArray(part) && part[0] >= 0 && !$.Sethas(seen, part[0])) { $.Setadd(seen, part[0]); $.Arraypush(stack, part[0], value); } };
  graph.roots.forEach((part, i) => visit(part, roots[i]));
  for (let i = 0; i < stack.length; i += 2) {
    const at = stack[i], value = stack[i + 1], [kind, list] = graph.nodes[at];
    if (kind === 'array') { $.Mapset(found, at, value); list.forEach((p, j) => visit(p, value[j])); }
    if (kind === 'object') { $.Mapset(found, at, value); for (let j = 0; j < list.length; j += 2) visit(list[j + 1], value[list[j]]); }
    if (kind === 'map') { $.Mapset(found, at, value); const e = toArray($.Mapentries(value)); e.forEach((pair, j) => visit(list[2 * j + 1], pair[1])); }
    if (kind === 'set') $.Mapset(found, at, value);
  }
  return found;
}
function ask(operation, id, list) {
  const graph = encode(list);
  watchPromises(list, 0);
  const ours = containersOf(graph, list);
  const answer = parse(host.ask(stringify({ operation, id, graph })));
  if (answer.thrown) { const error = decode(answer.thrown).values[0]; host.foreign(); throw error; }
  const seeded = new Map_();
  for (const [before, after] of answer.changed) if ($.Maphas(ours, before)) $.Mapset(seeded, after, $.Mapget(ours, before));
  return decode(answer.graph, seeded).values[0];
}
// The judge serves requests that the solution may have forged: it gives nothing but what it offered, and no way from
// there to a constructor or a prototype, which make code of text and reach everything else.
let guarded = false;
const closed = new Set_(['constructor', 'prototype', '__proto__', 'caller', 'callee', 'arguments', '__defineGetter__', '__defineSetter__',
  '__lookupGetter__', '__lookupSetter__']);
const isOpen = (key) => typeof key === 'string' && !(guarded && $.Sethas(closed, key));
const operations = {
  __proto__: null,
  entry: (_, [name]) => { if (guarded) throw new TypeError('the judge has no entry point'); return entry(name); },
  apply: (target, [self, ...list]) => apply(target, self === null ? undefined : self, list),
  construct: (target, list) => construct(target, list),
  get: (target, [key]) => { if (!isOpen(key)) return undefined; const v = target[key]; return typeof v === 'function' ? bound(target, v) : v; },
  set: (target, [key, value]) => { if (isOpen(key)) target[key] = value; },
  has: (target, [key]) => isOpen(key) && key in target,
  keys: (target) => enumerable(target),
  iterator: (target) => { const it = target[Symbol.iterator](); return () => it; },
};
const bindings = new Map_();
function bound(target, method) {
  let methods = $.Mapget(bindings, target);
  if (!methods) $.Mapset(bindings, target, methods = new Map_());
  if (!$.Maphas(methods, method)) $.Mapset(methods, method, (...list) => apply(method, target, list));
  return $.Mapget(methods, method);
}
const pending = [];
// Two steps, so that the host can let promises settle between them; what is asked meanwhile is answered first.
function serve(text) {
  const { operation, id, graph } = parse(text);
  try {
    const { values: list, built } = decode(graph);
    const result = operations[operation]($.Mapget(offered, id), list);
    watchPromises(result, 0);
    $.Arraypush(pending, { result, built });
  } catch (thrown) { $.Arraypush(pending, { thrown, failed: true }); }
}
function answer() {
  const { result, built, thrown, failed } = $.Arraypop(pending);
  if (failed) return stringify({ thrown: encode([thrown]) });
  const containers = [];
  for (const e of $.Mapentries(built)) if (isContainer(e[1])) $.Arraypush(containers, e);
  const graph = encode([result, ...$.Arraymap(containers, (e) => e[1])]);
  return stringify({ graph, changed: $.Arraymap(containers, (e, i) => [e[0], graph.roots[i + 1][0]]) });
}
function entry(name) {
  const value = host.global(name);
  if (value !== undefined) return value;
  const exported = globals.module && globals.module.exports;
  if (exported && exported[name] !== undefined) return exported[name];
  if (typeof exported === 'function') return exported;
  throw new ReferenceError('the solution does not define ' + name);
}

// --- integrity: which builtins were replaced ---
const watched = [];
for (const name of enumerable(builtins)) {
  for (const [label, object] of [[name, builtins[name]], [name + '.prototype', builtins[name].prototype]]) {
    if (object) for (const key of ownKeys(object)) {
      const d = getOwnPropertyDescriptor(object, key);
      if (typeof d.value === 'function') $.Arraypush(watched, label + '.' + String_(key), object, key, d.value);
    }
  }
}
function replaced() {
  const names = [];
  for (let i = 0; i < watched.length; i += 4) {
    const d = getOwnPropertyDescriptor(watched[i + 1], watched[i + 2]);
    if (!d || d.value !== watched[i + 3]) $.Arraypush(names, watched[i]);
  }
  return $.Arrayjoin(names, ', ');
}

// --- assert, for the judge ---
function same(a, b, seen) {
  if (is(a, b) || a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if ($.Mapget(seen, a) === b) return true;
  $.Mapset(seen, a, b);
  if (isArray(a) !== isArray(b)) return false;
  if (a instanceof Date || b instanceof Date) return a instanceof Date && b instanceof Date && is(a.getTime(), b.getTime());
  if (a instanceof RegExp || b instanceof RegExp) return a instanceof RegExp && b instanceof RegExp && String_(a) === String_(b);
  if (a instanceof Map_ || b instanceof Map_) {
    if (!(a instanceof Map_ && b instanceof Map_) || a.size !== b.size) return false;
    for (const [key, value] of a) if (!b.has(key) || !same(value, b.get(key), seen)) return false;
    return true;
  }
  if (a instanceof Set_ || b instanceof Set_) {
    if (!(a instanceof Set_ && b instanceof Set_) || a.size !== b.size) return false;
    for (const value of a) if (!b.has(value) && !toArray(b).some((other) => same(value, other, seen))) return false;
    return true;
  }
  if (a instanceof Error_ || b instanceof Error_) return a instanceof Error_ && b instanceof Error_ && a.name === b.name && a.message === b.message;
  const keys = enumerable(a), others = enumerable(b);
  return keys.length === others.length && keys.every((key) => others.includes(key) && same(a[key], b[key], seen));
}
function becomeJudge() {
  guarded = true;
  class AssertionError extends Error_ { constructor(message) { super(message); this.name = 'AssertionError'; } }
  const check = (holds, message, text) => { if (!holds) throw new AssertionError(message === undefined ? text() : String_(message)); };
  const words = (a, how, b) => () => (show(a, 1, new Set_()) + how + show(b, 1, new Set_())).slice(0, 300);
  const assert = (value, message) => check(value, message, () => show(value, 1, new Set_()) + ' is not truthy');
  assert.ok = assert;
  assert.equal = assert.strictEqual = (a, b, message) => check(is(a, b) || a === b, message, words(a, ' is not ', b));
  assert.notEqual = assert.notStrictEqual = (a, b, message) => check(a !== b, message, words(a, ' is ', b));
  assert.deepEqual = assert.deepStrictEqual = (a, b, message) => check(same(a, b, new Map_()), message, words(a, ' does not equal ', b));
  assert.notDeepEqual = assert.notDeepStrictEqual = (a, b, message) => check(!same(a, b, new Map_()), message, words(a, ' equals ', b));
  const matches = (error, expected) => expected === undefined || typeof expected === 'string' ||
    (expected instanceof RegExp ? expected.test(String_(error && error.message)) : error instanceof expected || (error && error.name === expected.name));
  assert.throws = (f, expected) => { try { f(); } catch (error) { return check(matches(error, expected), undefined, () => 'threw another error: ' + error); } check(false, undefined, () => 'did not throw'); };
  assert.rejects = async (p, expected) => { try { await (typeof p === 'function' ? p() : p); } catch (error) { return check(matches(error, expected), undefined, () => 'rejected with another error: ' + error); } check(false, undefined, () => 'did not reject'); };
  globals.assert = assert;
}
function bindEntry(name) {
  globals.candidate = ask('entry', 0, [name]);
  defineProperty(globals, name, { value: globals.candidate, writable: true, configurable: true });
}`

/** For a program by itself. */
export const programPrelude = `${common}
return { runTimer, setInput, describe };
})`

/** For the two sides of a test run. */
export const testPrelude = `${common}
${crossing}
return { runTimer, setInput, serve, answer, ask, replaced, becomeJudge, bindEntry, describe };
})`
