import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSandbox, type Sandbox } from '../../sandbox/index.ts'
import type { Task } from '../tasks/task.ts'
import { generateTasks } from './generate-tasks.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox()
})
afterAll(() => sandbox.close())

const sample = (['train', 'validation', 'held-out'] as const).flatMap((split) =>
  generateTasks({ seed: 5, count: 30, split }),
)

function judge(task: Task, solution: string, tests: string[]) {
  return sandbox.runTests({
    language: task.language,
    solution,
    tests: tests.join('\n'),
    entryPoint: task.entryPoint,
  })
}

test('reference solutions pass their visible and hidden tests, in both languages', async () => {
  const verdicts = await Promise.all(
    sample.map(async (task) => {
      const { passed, message } = await judge(task, task.reference as string, [
        ...task.visibleTests,
        ...task.hiddenTests,
      ])
      return passed ? [] : [`${task.id}: ${message}`]
    }),
  )
  expect(verdicts.flat()).toEqual([])
})

describe('a solution that special-cases the visible tests', () => {
  test('passes those and fails the hidden ones', async () => {
    const verdicts = await Promise.all(
      sample.map(async (task) => {
        const cheat = specialCased(task)
        const [visible, hidden] = await Promise.all([
          judge(task, cheat, task.visibleTests),
          judge(task, cheat, task.hiddenTests),
        ])
        return visible.passed && hidden.reason === 'failed'
          ? []
          : [`${task.id}: visible ${visible.message}, hidden ${hidden.reason}`]
      }),
    )
    expect(verdicts.flat()).toEqual([])
  })
})

/** Looks the arguments up among the examples; else gives the last example's answer. */
function specialCased(task: Task): string {
  const examples = task.visibleTests.map((line) => {
    const [call, answer] =
      task.language === 'python'
        ? line.slice('assert '.length).split(' == ')
        : splitPair(line.slice('assert.deepEqual('.length, -1))
    return { given: `[${(call as string).slice(task.entryPoint.length + 1, -1)}]`, answer: answer as string }
  })
  return task.language === 'python'
    ? `def ${task.entryPoint}(*given):\n${examples.map(({ given, answer }) => `    if list(given) == ${given}:\n        return ${answer}\n`).join('')}    return ${examples.at(-1)?.answer}\n`
    : `function ${task.entryPoint}(...given) {\n${examples.map(({ given, answer }) => `  if (JSON.stringify(given) === JSON.stringify(${given})) return ${answer}\n`).join('')}  return ${examples.at(-1)?.answer}\n}\n`
}

/** `f(1, [2]), 3` as call and answer: the call ends with the parenthesis that closes its first one. */
function splitPair(text: string): [string, string] {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') quoted = !quoted
    if (quoted) continue
    if (text[i] === '(') depth += 1
    if (text[i] === ')') depth -= 1
    if (text[i] === ')' && depth === 0) return [text.slice(0, i + 1), text.slice(i + 3)]
  }
  throw new Error(`no call in ${text}`)
}
