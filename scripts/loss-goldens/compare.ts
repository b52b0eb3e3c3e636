/**
 * Largest error of `actual` against `expected`, relative to the largest magnitude that is expected, or to `floor` where that is
 * larger, so that an expected zero admits rounding. Infinity where shapes, kinds or nulls differ.
 */
export function worstError(actual: unknown, expected: unknown, floor = 1e-9): number {
  const [a, e] = [flatten(actual), flatten(expected)]
  if (a.length !== e.length) return Infinity
  let largest = floor
  for (const { value } of e) if (typeof value === 'number') largest = Math.max(largest, Math.abs(value))
  let worst = 0
  for (let i = 0; i < e.length; i++) {
    const [x, y] = [a[i]!, e[i]!]
    if (x.path !== y.path) return Infinity
    if (typeof y.value !== 'number' || typeof x.value !== 'number') {
      if (x.value !== y.value) return Infinity
      continue
    }
    const error = Math.abs(x.value - y.value) / largest
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error
  }
  return worst
}

function flatten(value: unknown, path = ''): { path: string; value: unknown }[] {
  if (ArrayBuffer.isView(value)) return flatten(Array.from(value as Float64Array), path)
  if (typeof value !== 'object' || value === null) return [{ path, value }]
  const children = Object.entries(value).flatMap(([key, child]) => flatten(child, `${path}/${key}`))
  return [{ path, value: Array.isArray(value) ? `array of ${value.length}` : 'object' }, ...children]
}
