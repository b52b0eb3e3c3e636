import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../engine/index.ts'
import { saveTokenizerFolder, trainTokenizer } from '../text/index.ts'

const main = join(import.meta.dirname, 'main.ts')
const golden = join(import.meta.dirname, '..', '..', 'tests', 'goldens', 'models', 'llama-gqa-tied')

let directory: string
let model: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-cli-model-'))
  model = join(directory, 'model')
  await cp(golden, model, { recursive: true })
  // 256 bytes and one special token: the 257 tokens of the golden model.
  const options = { vocabularySize: 257, specialTokens: ['<|end|>'], eosToken: '<|end|>' }
  await saveTokenizerFolder(await trainTokenizer([''], options), model)
})
afterAll(() => rm(directory, { recursive: true }))

interface Outcome {
  stdout: string
  stderr: string
  code: number
}

async function whetstone(...args: string[]): Promise<Outcome> {
  const run = promisify(execFile)(process.execPath, [main, ...args])
  return run.then(
    ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
    ({ stdout, stderr, code }) => ({ stdout, stderr, code }),
  )
}
const rows = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('sample and score of a real model', () => {
  it.each(['f32', 'bf16'])('agree bit for bit on every log-probability in %s', async (precision) => {
    const flags = ['--model', model, '--precision', precision, '--temperature', '0.7', '--json']
    const sampled = await whetstone(
      'sample',
      ...flags,
      '--prompt',
      'abc',
      '--n',
      '3',
      '--max-tokens',
      '12',
      '--seed',
      '5',
    )
    const samples = rows(sampled.stdout)
    expect(samples).toHaveLength(3)
    const file = join(directory, `${precision}.jsonl`)
    await writeFile(
      file,
      samples.map(({ promptTokens, tokens }) => JSON.stringify([...promptTokens, ...tokens])).join('\n'),
    )
    const scores = rows((await whetstone('score', ...flags, '--tokens', file)).stdout)
    for (const [index, { promptTokens, tokens, logprobs }] of samples.entries()) {
      expect(scores[index].entropy).toHaveLength(promptTokens.length + tokens.length - 1)
      expect(scores[index].logprobs.slice(promptTokens.length - 1)).toEqual(logprobs)
    }
  })

  it('give the same samples for the same seed and others for another', async () => {
    const sample = async (seed: string) =>
      (
        await whetstone(
          'sample',
          '--model',
          model,
          '--prompt',
          'abc',
          '--max-tokens',
          '12',
          '--seed',
          seed,
          '--json',
        )
      ).stdout
    const first = await sample('1')
    expect(await sample('1')).toBe(first)
    expect(await sample('2')).not.toBe(first)
  })

  it('say what is wrong with a model that is broken or not there', async () => {
    expect(await whetstone('sample', '--model', join(directory, 'none'), '--prompt', 'a')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^whetstone: there is no model .*none/),
    })
    const broken = join(directory, 'broken')
    await cp(model, broken, { recursive: true })
    await writeFile(join(broken, 'model.safetensors'), 'not weights')
    const outcome = await whetstone('sample', '--model', broken, '--prompt', 'a')
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('model.safetensors')
    expect(outcome.stderr).not.toContain('    at ')
  })

  it.each([
    ['none', /^whetstone: there is no model ".*none": it is neither a folder, nor a \.gguf file, nor/],
    ['empty', /^whetstone: .*empty is not a checkpoint: it has no config\.json/],
    ['notes.txt', /^whetstone: .*notes\.txt is not a model: give a checkpoint folder or a \.gguf file/],
    ['notes.gguf', /^whetstone: .*notes\.gguf/],
  ])('say in one line that %s is no model', async (name, message) => {
    await mkdir(join(directory, 'empty'), { recursive: true })
    for (const file of ['notes.txt', 'notes.gguf']) await writeFile(join(directory, file), 'notes')
    const path = join(directory, name)
    for (const args of [
      ['sample', '--model', path, '--prompt', 'a'],
      ['score', '--model', path, '--tokens', '-'],
      ['pull', path],
    ]) {
      // A file's contents are no concern of pull, which only finds it.
      if (args[0] === 'pull' && name === 'notes.gguf') continue
      const { code, stdout, stderr } = await whetstone(...args)
      expect({ code, stdout }, args[0]).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(message)
      expect(stderr.trim().split('\n')).toHaveLength(1)
    }
  })

  it('take a folder with an adapter, on the base that it names or that is given', async () => {
    const trained = await (await loadModel(model, { threads: 2 })).trainable({ lora: { rank: 2, seed: 1 } })
    const name = 'model.layers.0.self_attn.q_proj.lora_B.weight'
    const zeros = await trained.parameter(name)
    await trained.setParameter(
      name,
      zeros.map((_, i) => Math.sin(i)),
    )
    const adapter = join(directory, 'adapter')
    await trained.saveWeights(adapter)
    const file = join(directory, 'adapter.jsonl')
    // Some editors put a byte order mark first.
    await writeFile(file, '\uFEFF[1, 2, 3, 4]')
    const score = (...args: string[]) => whetstone('score', '--tokens', file, '--json', ...args)
    const named = await score('--model', adapter)
    expect(named.stderr).toBe('')
    expect(named.stdout).not.toBe((await score('--model', model)).stdout)
    const [{ logprobs }] = (await trained.forward([
      { input: Int32Array.of(1, 2, 3), target: Int32Array.of(2, 3, 4) },
    ])) as [{ logprobs: Float32Array }]
    expect(rows(named.stdout)[0].logprobs).toEqual([...logprobs])
    const config = join(adapter, 'adapter_config.json')
    await writeFile(config, (await readFile(config, 'utf8')).replace(JSON.stringify(model), '""'))
    expect(await score('--model', adapter)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^whetstone: .*adapter_config\.json: base_model_name_or_path is empty.*--base/,
      ),
    })
    expect((await score('--model', adapter, '--base', model)).stdout).toBe(named.stdout)
    expect(await score('--model', model, '--base', model)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is a whole model, not an adapter'),
    })
  })

  it('refuse a row longer than the context by its file and line, and take one as long', async () => {
    const file = join(directory, 'long.jsonl')
    const row = (length: number) => JSON.stringify(Array(length).fill(1))
    await writeFile(file, `${row(513)}\n\n${row(514)}`)
    const outcome = await whetstone('score', '--model', model, '--tokens', file)
    expect(outcome).toMatchObject({
      code: 1,
      stderr: `whetstone: ${file}, line 3: the row has 514 tokens; the model's context is 512, so split rows of more than 513\n`,
    })
    await writeFile(file, row(513))
    expect((await whetstone('score', '--model', model, '--tokens', file)).stdout).toContain('tokens 512')
  })
})

describe('chat', () => {
  const talk = (input: string | Buffer, ...flags: string[]) => {
    const child = execFile(process.execPath, [main, 'chat', '--model', model, ...flags])
    child.stdin?.end(input)
    return new Promise<Outcome>((resolve) => {
      let [stdout, stderr] = ['', '']
      child.stdout?.on('data', (text) => {
        stdout += text
      })
      child.stderr?.on('data', (text) => {
        stderr += text
      })
      child.on('close', (code) => resolve({ stdout, stderr, code: code ?? -1 }))
    })
  }

  it('answers each line of a pipe, the same way for the same seed, and ends with the input', async () => {
    const flags = ['--max-tokens', '6', '--seed', '3']
    const first = await talk('abc\ndef', ...flags)
    expect(first.code).toBe(0)
    expect(first.stdout.match(/\[length\]|\n/g)?.length).toBeGreaterThanOrEqual(2)
    expect(await talk('abc\n\n/reset\ndef\n/exit\nghi', ...flags)).toEqual(first)
  })

  it('sends neither a command that it does not have nor what is not UTF-8, and says the latter once', async () => {
    const { stdout, code } = await talk(Buffer.from('/quit\n\xff\n\xfe\n', 'latin1'))
    expect({ stdout, code }).toEqual({
      stdout:
        '(there is no /quit; /reset and /exit are the commands)\n(a character of that line could not be read as UTF-8, so neither that line nor others like it are sent; set the terminal, or the file, to UTF-8)\n',
      code: 0,
    })
  })

  it('refuses instructions for a model without a chat template', async () => {
    const { stderr, code } = await talk('abc', '--system', 'Be brief.')
    expect({ stderr, code }).toEqual({
      stderr: 'whetstone: the model has no chat template, so --system has no place; leave it out\n',
      code: 1,
    })
  })
})
