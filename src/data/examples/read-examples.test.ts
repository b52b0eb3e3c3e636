import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDocuments } from './read-documents.ts'
import { readMessages } from './read-messages.ts'
import { readPreferencePairs } from './read-preferences.ts'
import { readStepSolutions } from './read-step-solutions.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whetstone-examples-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(...rows: unknown[]): string {
  const path = join(folder, 'rows.jsonl')
  writeFileSync(path, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'))
  return path
}

async function collect(documents: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const document of documents) all.push(document)
  return all
}

const ask = { role: 'user', content: 'add 1 and 2' }
const say = (content: string) => ({ role: 'assistant', content })

describe('readMessages', () => {
  it("reads conversations with tools in OpenAI's form and in ours, to the same messages", async () => {
    const call = { id: 'c1', name: 'add', arguments: { a: 1 } }
    const definition = { name: 'add', description: 'Adds', parameters: { type: 'object' } }
    const openAi = {
      source: 'a column that stays out',
      messages: [
        {
          ...ask,
          content: [
            { type: 'text', text: 'add 1 ' },
            { type: 'text', text: 'and 2' },
          ],
          name: null,
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'add', arguments: '{"a": 1}' } }],
        },
        { role: 'tool', content: '3', tool_call_id: 'c1', tool_calls: null },
        { role: 'assistant', content: '3', reasoning_content: 'easy' },
      ],
      tools: [{ type: 'function', function: definition }],
    }
    const ours = {
      messages: [
        ask,
        { role: 'assistant', content: '', toolCalls: [call] },
        { role: 'tool', content: '3', toolCallId: 'c1' },
        { role: 'assistant', content: '3', reasoning: 'easy' },
      ],
      tools: [definition],
    }
    expect(await readMessages(fileOf(openAi, '', ours))).toEqual([ours, ours])
  })

  it('reads prompts with completions', async () => {
    const rows = await readMessages(
      fileOf({ prompt: 'add 1 and 2', completion: '3' }, { prompt: [ask], completion: [say('3')] }),
    )
    expect(rows).toEqual([{ messages: [ask, say('3')] }, { messages: [ask, say('3')] }])
  })

  it('names line, field and what is wrong', async () => {
    const wrong = (...rows: unknown[]) => expect(readMessages(fileOf(...rows))).rejects
    await wrong({ messages: [ask] }, { messages: [{ role: 'robot', content: '' }] }).toThrow(
      /rows\.jsonl:2: not a conversation: .*field "messages\.0.*role is system, user, assistant, tool/,
    )
    await wrong({ messages: [{ role: 'user', content: 3 }] }).toThrow(
      /field "messages\.0\.content": must be text/,
    )
    await wrong({ messages: [{ ...ask, contents: '' }] }).toThrow(/contents/)
    await wrong({ messages: [] }).toThrow('field "messages"')
    await wrong({ text: 'a' }).toThrow('field "messages"')
    await wrong('[1').toThrow('rows.jsonl:1: not JSON')
    await wrong('').toThrow('no rows in it')
    await expect(readMessages(join(folder, 'missing.jsonl'))).rejects.toThrow('cannot read')
    const call = { type: 'function', function: { name: 'f', arguments: '[1]' } }
    await wrong({ messages: [{ role: 'assistant', tool_calls: [call] }] }).toThrow('tool_calls')
  })
})

describe('readPreferencePairs', () => {
  it('reads every form to the same pair', async () => {
    const more = { margin: 0.5, tools: [{ name: 'add', parameters: { type: 'object' } }] }
    const texts = { prompt: 'add 1 and 2', chosen: '3', rejected: '4', ...more }
    const messages = { prompt: [ask], chosen: [say('3')], rejected: [say('4')], ...more }
    const repeated = { ...messages, chosen: [ask, say('3')], rejected: [ask, say('4')] }
    const { prompt: _, ...implicit } = repeated
    const pairs = await readPreferencePairs(fileOf(texts, messages, repeated, implicit))
    expect(pairs).toEqual([messages, messages, messages, messages])
  })

  it('refuses equal answers, no prompt, and answers that are none', async () => {
    const wrong = (row: unknown) => expect(readPreferencePairs(fileOf(row))).rejects
    await wrong({ prompt: 'a', chosen: 'b', rejected: 'b' }).toThrow('equals chosen')
    await wrong({ chosen: [say('1')], rejected: [say('2')] }).toThrow('there is no prompt')
    await wrong({ prompt: 'a', chosen: [ask], rejected: 'b' }).toThrow(
      'field "chosen": must go on from the prompt',
    )
    await wrong({ prompt: 'a', chosen: 'b' }).toThrow('field "rejected"')
  })
})

describe('readStepSolutions', () => {
  it('reads steps and labels under either name', async () => {
    const solutions = await readStepSolutions(
      fileOf(
        { prompt: 'p', steps: ['a', 'b'], labels: [true, false] },
        { prompt: 'p', completions: ['a', 'b'], labels: [1, 0] },
      ),
    )
    const want = { prompt: [{ role: 'user', content: 'p' }], steps: ['a', 'b'], labels: [true, false] }
    expect(solutions).toEqual([want, want])
  })

  it('refuses labels that do not match the steps', async () => {
    const wrong = (row: unknown) => expect(readStepSolutions(fileOf(row))).rejects
    await wrong({ prompt: 'p', steps: ['a'], labels: [true, true] }).toThrow('has 2 entries for 1 steps')
    await wrong({ prompt: 'p', steps: ['a'], labels: [2] }).toThrow('must be true, false, 1 or 0')
    await wrong({ prompt: 'p', steps: [], labels: [] }).toThrow('must have a step')
  })
})

describe('readDocuments', () => {
  it('reads files in order, gzipped too, and again from the beginning', async () => {
    const packed = join(folder, 'packed.jsonl')
    writeFileSync(packed, gzipSync('"c"\n'))
    const documents = readDocuments(fileOf({ text: 'a' }, '"b"'), packed)
    for (let loop = 0; loop < 2; loop++) expect(await collect(documents)).toEqual(['a', 'b', 'c'])
  })

  it('names the line that is no document', async () => {
    await expect(collect(readDocuments(fileOf('"a"', { body: 'b' })))).rejects.toThrow(
      /rows\.jsonl:2: not a document/,
    )
    await expect(collect(readDocuments(fileOf('')))).rejects.toThrow('no rows in it')
  })
})
