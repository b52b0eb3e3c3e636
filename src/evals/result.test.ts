import { expect, test } from 'vitest'
import { taskSchema } from '../data/tasks/task.ts'
import type { TestRequest, Verdict } from '../sandbox/types.ts'
import { compareResults } from './compare-results.ts'
import { evaluateAttempts } from './evaluate-attempts.ts'
import { formatComparison, formatResult } from './format-result.ts'
import { parseEvalResult, summariseVerdicts } from './result.ts'

const tasks = ['a', 'b'].map((id) =>
  taskSchema.parse({
    id,
    prompt: 'p',
    language: 'python',
    entryPoint: 'f',
    visibleTests: [],
    hiddenTests: ['assert f()', 'assert True'],
  }),
)
const taskSet = { name: 'two', tasks, sha256: 'ab' }

/** Passes solutions that say so; later requests finish earlier. */
function fakeSandbox() {
  const requests: TestRequest[] = []
  return {
    requests,
    async runTests(request: TestRequest): Promise<Verdict> {
      requests.push(request)
      await new Promise((resolve) => setTimeout(resolve, 20 - 4 * requests.length))
      const passed = request.solution === 'right'
      return {
        passed,
        reason: passed ? 'passed' : 'timeout',
        message: '',
        testsPassed: Number(passed),
        testsTotal: 1,
        stdout: '',
        stderr: '',
        milliseconds: 1,
      }
    },
  }
}

test('verdicts keep the order of the attempts, reasons are counted, and pass@k is over tasks', async () => {
  const sandbox = fakeSandbox()
  const attempts = ['wrong', 'right', null, 'right'].map((program, i) => ({ task: tasks[i >> 1]!, program }))
  const result = await evaluateAttempts(sandbox, taskSet, attempts, {
    limits: { milliseconds: 9 },
    source: { samples: 'x' },
  })
  expect(result).toMatchObject({
    verdicts: [
      { task_id: 'a', passed: false, reason: 'timeout' },
      { task_id: 'a', passed: true, reason: 'passed' },
      { task_id: 'b', passed: false, reason: 'no-answer' },
      { task_id: 'b', passed: true, reason: 'passed' },
    ],
    passAtK: { 1: 0.5, 2: 1 },
    counts: { passed: 2, 'no-answer': 1, timeout: 1 },
    tasks: { name: 'two', total: 2, attempted: 2, sha256: 'ab' },
  })
  expect(sandbox.requests[0]).toEqual({
    language: 'python',
    solution: 'wrong',
    tests: ['assert f()', 'assert True'],
    entryPoint: 'f',
    limits: { milliseconds: 9 },
  })
})
test('a sandbox that refuses to judge ends the evaluation instead of failing the solutions', async () => {
  const refused = {
    passed: false,
    reason: 'refused',
    message: 'bwrap is not on the PATH',
    testsPassed: 0,
    testsTotal: 1,
    stdout: '',
    stderr: '',
    milliseconds: 0,
  } as const
  const attempts = [{ task: tasks[0]!, program: 'right' }]
  await expect(evaluateAttempts({ runTests: async () => refused }, taskSet, attempts)).rejects.toThrow(
    /a cannot be judged: bwrap is not on the PATH/,
  )
})
test('a k beyond the samples of a task is refused before anything runs', async () => {
  const sandbox = fakeSandbox()
  const attempts = [{ task: tasks[0]!, program: 'right' }]
  await expect(evaluateAttempts(sandbox, taskSet, attempts, { ks: [1, 5] })).rejects.toThrow(
    /pass@5 needs at least 5 samples of each task; a has 1/,
  )
  expect(sandbox.requests).toEqual([])
})
test('quality is reported beside pass@k and changes nothing in it', async () => {
  const attempts = [
    { task: tasks[0]!, program: 'right' },
    { task: tasks[1]!, program: `#${'x'.repeat(2 ** 20)}` },
  ]
  const plain = await evaluateAttempts(fakeSandbox(), taskSet, attempts)
  const { quality, ...rest } = await evaluateAttempts(fakeSandbox(), taskSet, attempts, { quality: true })
  expect(rest).toEqual(plain)
  expect(quality).toMatchObject({ programs: 1, unmeasured: 1 })
})
test('a result printed as JSON is read back, and other files are refused by name', () => {
  const summary = summariseVerdicts([{ task_id: 'a', passed: true, reason: 'passed' }])
  expect(parseEvalResult(JSON.stringify(summary), 'r.json')).toEqual(JSON.parse(JSON.stringify(summary)))
  expect(() => parseEvalResult('{', 'r.json')).toThrow(/r\.json: not JSON/)
  expect(() =>
    parseEvalResult('{"verdicts":[{"task_id":"a","passed":1,"reason":"x"}],"passAtK":{}}', 'r.json'),
  ).toThrow(/r\.json: .*verdicts\.0\.passed/)
  expect(() => parseEvalResult('{"verdicts":[],"passAtK":{}}', 'r.json')).toThrow(/at least one verdict/)
})
test('the text for people has the figures, and says when no difference is shown', () => {
  const summary = {
    ...summariseVerdicts([{ task_id: 'a', passed: true, reason: 'passed' }]),
    tasks: { name: 'two', total: 2, attempted: 1, sha256: 'ab' },
  }
  expect(formatResult(summary)).toBe(
    'two: 1 of 2 tasks, 1 samples\npass@1    100.0 %  95 % interval 100.0 % to 100.0 %\npassed     1',
  )
  const text = formatComparison(compareResults(summary, summary, 0.05), ['a.json', 'b.json'])
  expect(text).toMatch(/^no difference shown$/m)
  expect(text).toMatch(/to see \+5\.0 points with a chance of 80 %: \d+ tasks/)
})
