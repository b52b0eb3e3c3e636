/** What decides a test run: which builtins the solution replaced, and the assertions of the judge. */
export const judging = `// --- integrity: which builtins were replaced ---
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
