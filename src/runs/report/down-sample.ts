/** Points of a curve; where several steps share one, `y` is their mean and `low` to `high` their range. */
export interface Curve {
  x: number[]
  y: (number | null)[]
  low?: (number | null)[]
  high?: (number | null)[]
}

/** A curve of at most `limit` points over values some of which may be missing. `x` is the middle of the steps that a point stands for. */
export function downSample(
  steps: readonly number[],
  values: readonly (number | undefined)[],
  limit: number,
): Curve {
  if (steps.length <= limit) return { x: [...steps], y: values.map((value) => value ?? null) }
  const size = Math.ceil(steps.length / limit)
  const curve = {
    x: [] as number[],
    y: [] as (number | null)[],
    low: [] as (number | null)[],
    high: [] as (number | null)[],
  }
  for (let start = 0; start < steps.length; start += size) {
    const end = Math.min(start + size, steps.length)
    const present = values.slice(start, end).filter((value) => value !== undefined)
    curve.x.push((steps[start]! + steps[end - 1]!) / 2)
    const none = present.length === 0
    curve.y.push(none ? null : present.reduce((sum, value) => sum + value, 0) / present.length)
    curve.low.push(none ? null : Math.min(...present))
    curve.high.push(none ? null : Math.max(...present))
  }
  return curve
}
