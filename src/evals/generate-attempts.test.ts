import { beforeAll, describe, expect, test } from 'vitest'
import { taskSchema } from '../data/tasks/task.ts'
import { type Tokenizer, trainTokenizer } from '../text/index.ts'
import { defaultPrompting, generateAttempts, type SamplingModel } from './generate-attempts.ts'

const template =
  '{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|answer|>{% endif %}'
let base: Tokenizer
let chat: Tokenizer
beforeAll(async () => {
  const training = {
    vocabularySize: 262,
    specialTokens: ['<|end|>', '<|user|>', '<|answer|>'],
    eosToken: '<|end|>',
  }
  base = await trainTokenizer(['def f'], training)
  chat = await trainTokenizer(['def f'], { ...training, chatTemplate: template })
})

const completion = taskSchema.parse({
  id: 'c',
  prompt: 'import math\n\ndef f(x):\n    """Root."""\n',
  form: 'completion',
  language: 'python',
  entryPoint: 'f',
  visibleTests: [],
  hiddenTests: ['assert f(4) == 2'],
})
const instruction = taskSchema.parse({
  id: 'i',
  prompt: 'Write g.',
  language: 'javascript',
  entryPoint: 'g',
  visibleTests: [],
  hiddenTests: ['assert.equal(g(), 1)'],
})

type Request = Parameters<SamplingModel['sample']>[0]

/** A model that answers every prompt by the given texts and keeps what it was asked. */
function scripted(tokenizer: Tokenizer, texts: string[]): SamplingModel & { asked: Request[] } {
  const asked: Request[] = []
  return {
    tokenizer,
    asked,
    async sample(request) {
      asked.push(request)
      return texts.slice(0, request.n).map((text) => ({ text, stopReason: 'stop' }))
    },
  }
}

const options = { n: 2, temperature: 0.5, topP: 0.9, maxTokens: 99, seed: 7 }

describe('a chat model', () => {
  test('is asked by its template and answered for by the code in its message', async () => {
    const model = scripted(chat, ['So:\n```python\ndef f(x):\n    return math.sqrt(x)\n```', 'I cannot.'])
    const attempts = await generateAttempts(model, [completion], {
      ...options,
      prompting: defaultPrompting(chat),
    })
    expect(attempts.map(({ program }) => program)).toEqual([
      'import math\n\ndef f(x):\n    return math.sqrt(x)\n',
      null,
    ])
    const prompt = chat.decode(model.asked[0]!.prompt)
    expect(prompt).toMatch(
      /^<\|user\|>Complete this Python code\.\n\n```python\nimport math[\s\S]*one fenced code block\.<\|end\|><\|answer\|>$/,
    )
    expect(model.asked[0]).toMatchObject({
      n: 2,
      temperature: 0.5,
      topP: 0.9,
      maxTokens: 99,
      stopStrings: [],
    })
    expect(model.asked[0]!.stopTokens).toContain(chat.eosTokenId)
  })
  test('that answers with the body alone goes on from the prompt', async () => {
    const model = scripted(chat, ['```python\n    return x ** 0.5\n```'])
    const attempts = await generateAttempts(model, [completion], { ...options, n: 1, prompting: 'chat' })
    expect(attempts[0]?.program).toBe(`${completion.prompt}    return x ** 0.5\n`)
  })
})

describe('a base model', () => {
  test('goes on with the prompt, and is cut where the function ends', async () => {
    const model = scripted(base, ['    return 1\n\nprint(f(4))', '    return 2\ndef g(): pass'])
    const attempts = await generateAttempts(model, [completion], {
      ...options,
      prompting: defaultPrompting(base),
    })
    expect(attempts.map(({ program }) => program)).toEqual([
      `${completion.prompt}    return 1\n`,
      `${completion.prompt}    return 2`,
    ])
    expect(base.decode(model.asked[0]!.prompt)).toBe(completion.prompt)
    expect(model.asked[0]!.stopStrings).toContain('\ndef')
  })
  test('reads an instruction as a comment, and may define functions', async () => {
    const model = scripted(base, ['function h() { return 1 }\nfunction g() { return h() }\nconsole.log(g())'])
    const attempts = await generateAttempts(model, [instruction], {
      ...options,
      n: 1,
      prompting: 'completion',
    })
    expect(base.decode(model.asked[0]!.prompt)).toBe('/*\nWrite g.\n*/\n')
    expect(attempts[0]?.program).toBe('function h() { return 1 }\nfunction g() { return h() }')
  })
})

test('the seed of a task depends on the run and the task alone', async () => {
  const seedsOf = async (tasks: (typeof completion)[], seed: number) => {
    const model = scripted(base, ['x'])
    await generateAttempts(model, tasks, { ...options, n: 1, seed, prompting: 'completion' })
    return model.asked.map((request) => request.seed)
  }
  const [first, second] = await seedsOf([completion, instruction], 7)
  expect(await seedsOf([instruction], 7)).toEqual([second])
  expect(first).not.toBe(second)
  expect(await seedsOf([completion], 8)).not.toEqual([first])
})
test('a special token written in a task is text to a base model', async () => {
  const model = scripted(base, ['x'])
  await generateAttempts(model, [{ ...completion, prompt: 'def f(): # <|end|>\n' }], {
    ...options,
    n: 1,
    prompting: 'completion',
  })
  expect([...model.asked[0]!.prompt]).not.toContain(base.eosTokenId)
})
test('an error of the model ends the evaluation with that error', async () => {
  const model = scripted(base, [])
  model.sample = async () => {
    throw new Error('the prompt has 9999 tokens')
  }
  await expect(
    generateAttempts(model, [completion, instruction], { ...options, prompting: 'completion' }),
  ).rejects.toThrow(/9999 tokens/)
})
