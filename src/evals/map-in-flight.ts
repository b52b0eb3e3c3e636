/** The results of an async function over the items, in their order, with at most `limit` calls under way at once. */
export async function mapInFlight<T, R>(
  items: readonly T[],
  limit: number,
  call: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  let next = 0
  let failed = false
  async function work(): Promise<void> {
    while (next < items.length && !failed) {
      const index = next++
      try {
        results[index] = await call(items[index]!)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  return results
}
