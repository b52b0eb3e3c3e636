/**
 * Values cross between the judge's context and the solution's as a graph of nodes in JSON, like rpc.py's: data as
 * data, functions and instances by reference. An array or object that the callee changes is changed for the caller.
 */
export const crossing = String.raw`// --- values across contexts ---
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
}`
