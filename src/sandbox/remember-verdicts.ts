import type { TestRequest, Verdict } from './types.ts'

/** Reasons that follow from the solution and its tests alone; the others may be the machine's doing. */
const REPEATABLE = new Set<Verdict['reason']>(['passed', 'failed', 'exception'])

interface Judge {
  runTests(request: TestRequest): Promise<Verdict>
}

/**
 * A sandbox that judges equal solutions by equal tests once: a policy that is sure of itself writes the same answer several times in a
 * group. Asking again while the first is under way waits for that one. What ended otherwise than by a test or an exception is judged
 * anew.
 *
 * @param most verdicts kept; those asked for longest ago make room
 */
export function rememberVerdicts<S extends Judge>(sandbox: S, most = 5000): S {
  if (!Number.isInteger(most) || most < 1) throw new RangeError(`most is ${most}; give an integer from 1`)
  const kept = new Map<string, Promise<Verdict>>()
  return {
    ...sandbox,
    runTests(request) {
      const key = JSON.stringify(request)
      const verdict = kept.get(key) ?? sandbox.runTests(request)
      kept.delete(key)
      kept.set(key, verdict)
      const forget = () => {
        if (kept.get(key) === verdict) kept.delete(key)
      }
      verdict.then(({ reason }) => REPEATABLE.has(reason) || forget(), forget)
      if (kept.size > most) kept.delete(kept.keys().next().value as string)
      return verdict
    },
  }
}
