/** Bounds of what can be asked of one collection; beyond them a value is a slip, and would hang or exhaust the memory. */
export const collectLimits = {
  /** All samples of a group are held at once. */
  groupSize: 100_000,
  /** A rollout that never succeeds would otherwise be tried for ever. */
  retries: 1000,
  /** A group that never has spread would otherwise be drawn for ever. */
  resample: 1000,
  /** Node's longest timer, in milliseconds: 24 days. */
  timeoutMs: 0x7fff_ffff,
}
