/** For programs and tests alike: builtins kept safe, the console, timers, files, input and random numbers. */
export const common = String.raw`(function (host, globals) {
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
