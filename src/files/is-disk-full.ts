const FULL = /no space left on device|os error 28\b|disk quota exceeded|os error 122\b/i

/** Whether a write failed for want of room, by Node's code or by what another program or the engine says. */
export function isDiskFull(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT' || FULL.test(String(message))
}
