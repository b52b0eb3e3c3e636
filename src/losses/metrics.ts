/**
 * Metrics of a batch from those of its examples: they add up, as the losses do; names that end in `Min` or `Max` combine by
 * minimum and maximum.
 */
export function combineMetrics(parts: Iterable<Record<string, number>>): Record<string, number> {
  const total: Record<string, number> = {}
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      const before = total[name]
      if (before === undefined) total[name] = value
      else if (name.endsWith('Min')) total[name] = Math.min(before, value)
      else if (name.endsWith('Max')) total[name] = Math.max(before, value)
      else total[name] = before + value
    }
  }
  return total
}
