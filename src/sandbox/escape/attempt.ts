import type { RunRequest, RunResult } from '../types.ts'

/** A program that tries to get out of the sandbox, and what a contained run of it looks like. */
export interface Attempt {
  name: string
  request: Omit<RunRequest, 'language'>
  /** Why the result shows an escape, or undefined. */
  escaped(result: RunResult, facts: HostFacts): string | undefined
}

/** Things of the host that must not be seen or changed. */
export interface HostFacts {
  secretFile: string
  secret: string
  /** A file that must not appear. */
  target: string
  /** A TCP port on the host's loopback that counts its visitors. */
  port: number
}

export const short = { limits: { milliseconds: 1500, memoryBytes: 128 * 2 ** 20, outputBytes: 65_536 } }

export const contained: Attempt['escaped'] = (result) =>
  result.stdout.includes('ESCAPED')
    ? `the program reports an escape: ${result.stdout.slice(0, 200)}`
    : undefined

export function stopsAs(...expected: RunResult['stopped'][]): Attempt['escaped'] {
  return (result) =>
    expected.includes(result.stopped) ? undefined : `stopped is ${result.stopped} (${result.reason ?? ''})`
}

/** Prints ESCAPED with what it got where the expression yields something, `contained` where it throws. */
export function python(name: string, body: string): Attempt {
  const lines = body.split('\n').map((line) => `    ${line}`)
  const source = `def attempt():\n${lines.join('\n')}\ntry:\n    got = attempt()\n    print('ESCAPED' if got else 'contained', repr(got)[:200])\nexcept BaseException as error:\n    print('contained', type(error).__name__)\n`
  return { name, request: { source, ...short }, escaped: contained }
}

/** The same for JavaScript. */
export function javascript(name: string, body: string): Attempt {
  const source = `try { const got = (() => { ${body} })(); console.log(got ? 'ESCAPED' : 'contained', String(got)) } catch (error) { console.log('contained', String(error)) }`
  return { name, request: { source, ...short }, escaped: contained }
}
