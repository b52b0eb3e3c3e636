import { expect, it } from 'vitest'
import { rememberVerdicts } from './remember-verdicts.ts'
import type { TestRequest, Verdict } from './types.ts'

const request = (solution: string): TestRequest => ({
  language: 'javascript',
  solution,
  tests: 't',
  entryPoint: 'f',
})

/** A sandbox that notes what it is asked and answers as told. */
function noting(answer: (solution: string) => Verdict['reason']) {
  const asked: string[] = []
  return {
    asked,
    async runTests({ solution }: TestRequest): Promise<Verdict> {
      asked.push(solution)
      const reason = answer(solution)
      const passed = reason === 'passed'
      return {
        passed,
        reason,
        message: solution,
        testsPassed: 0,
        testsTotal: 1,
        stdout: '',
        stderr: '',
        milliseconds: 1,
      }
    },
  }
}

it('judges an equal solution once, also while the first is under way, and another one apart', async () => {
  const sandbox = noting((solution) => (solution === 'a' ? 'passed' : 'failed'))
  const remembering = rememberVerdicts(sandbox)
  const together = await Promise.all(
    ['a', 'a', 'b'].map((solution) => remembering.runTests(request(solution))),
  )
  expect(together.map(({ reason }) => reason)).toEqual(['passed', 'passed', 'failed'])
  expect(await remembering.runTests(request('a'))).toEqual(together[0])
  await remembering.runTests({ ...request('a'), tests: 'u' })
  expect(sandbox.asked).toEqual(['a', 'b', 'a'])
})

it.each(['timeout', 'memory', 'killed', 'refused', 'tampered', 'output'] as const)(
  'judges anew what ended by %s',
  async (reason) => {
    const sandbox = noting(() => reason)
    const remembering = rememberVerdicts(sandbox)
    for (const solution of ['a', 'a']) await remembering.runTests(request(solution))
    expect(sandbox.asked).toEqual(['a', 'a'])
  },
)

it('judges anew what could not be judged', async () => {
  let broken = true
  const remembering = rememberVerdicts({
    runTests: async (given: TestRequest) => {
      if (broken) throw new Error('the sandbox is closed')
      return noting(() => 'passed').runTests(given)
    },
  })
  await expect(remembering.runTests(request('a'))).rejects.toThrow('closed')
  broken = false
  expect((await remembering.runTests(request('a'))).passed).toBe(true)
})

it('keeps so many, those asked for last', async () => {
  const sandbox = noting(() => 'passed')
  const remembering = rememberVerdicts(sandbox, 2)
  for (const solution of ['a', 'b', 'a', 'c', 'a', 'b']) await remembering.runTests(request(solution))
  expect(sandbox.asked).toEqual(['a', 'b', 'c', 'b'])
  expect(() => rememberVerdicts(sandbox, 0)).toThrow('most is 0')
})
