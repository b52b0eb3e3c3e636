import { expect, it } from 'vitest'
import { generateTasks } from '../../data/index.ts'
import { chatMessage } from '../../evals/generate-attempts.ts'
import { scriptedModel } from '../../rollouts/testing/scripted-model.ts'
import { tinyTokenizer } from '../tiny-code/tiny-model.ts'
import { rehearsal, toComplete } from './rehearsal.ts'

it('a task to complete is the head of its function with the description as docstring', () => {
  for (const task of generateTasks({ seed: 1, count: 20, split: 'train', languages: ['python'] })) {
    const { prompt } = toComplete(task)
    expect(prompt).toMatch(new RegExp(`^def ${task.entryPoint}\\(\\w+(, \\w+)?\\):\\n {4}"""`))
    expect(prompt).toContain(task.prompt)
    expect(chatMessage(toComplete(task))).toContain('Complete this Python code.')
  }
})

it('a task whose reference does not define its function is refused by name', () => {
  const [task] = generateTasks({ seed: 1, count: 1, split: 'train', languages: ['python'] })
  expect(() => toComplete({ ...task!, reference: 'x = 1' })).toThrow(
    `the reference of ${task!.id} does not define ${task!.entryPoint}`,
  )
})

it("a rehearsal has the model's own answers and none that was cut", async () => {
  const tokenizer = await tinyTokenizer(['def answer(): return 1', 'Complete this Python code.'])
  let asked = 0
  const model = scriptedModel(tokenizer, () => (asked++ % 2 === 0 ? 'short' : 'far too long '.repeat(40)))
  const lines: string[] = []
  const log = (line: string) => lines.push(line)
  const examples = await rehearsal(model, { count: 8, maxTokens: 60, seed: 1, log })
  expect(lines).toEqual(['rehearsal: 4 of 8 answers end within 60 tokens'])
  expect(examples).toHaveLength(4)
  for (const { messages } of examples)
    expect(messages.at(-1)).toMatchObject({ role: 'assistant', content: 'short' })
})
