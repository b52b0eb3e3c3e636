import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const source = join(import.meta.dirname, '..', '..')
const main = join(source, 'cli', 'main.ts')

let directory: string
let program: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-train-'))
  await mkdir(join(directory, 'demo'))
  program = join(directory, 'demo', 'recipe.ts')
  await writeFile(
    program,
    `import { z } from ${JSON.stringify(join(source, '..', 'node_modules', 'zod', 'index.js'))}
import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
import { toyModel, toyPretrain, toyReinforce } from ${JSON.stringify(join(source, 'runs', 'testing', 'toy-training.ts'))}

export default defineRun({
  name: 'demo',
  options: { steps: z.int().min(1).default(4), slow: z.number().default(0) },
  async train({ run, options, log }) {
    const model = await toyModel()
    for await (const _ of toyPretrain(model, run, options.steps))
      await new Promise((resolve) => setTimeout(resolve, options.slow))
    log('now reinforce')
    for await (const _ of toyReinforce(model, run, 3));
    return { stages: [{ name: 'pretrain', values: { 'pass@1': 0.5 } }] }
  },
})
`,
  )
})
afterAll(() => rm(directory, { recursive: true }))

async function whetstone(...args: string[]) {
  return promisify(execFile)(process.execPath, [main, ...args]).then(
    ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
    ({ stdout, stderr, code }) => ({ stdout, stderr, code }),
  )
}
const file = async (name: string, content: string) => {
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

describe('whetstone train', () => {
  it('runs a folder into a directory, shows its steps and prints the digest, the same in each run', async () => {
    const first = await whetstone('train', join(directory, 'demo'), '--run', join(directory, 'first'))
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('pretrain 4/4  loss') })
    expect(first.stderr).toContain('now reinforce')
    const digest = /^report .*first\/report\.html\ndigest {2}([0-9a-f]{64})\n$/.exec(first.stdout)?.[1]
    const second = await whetstone('train', program, '--run', join(directory, 'second'), '--json')
    const lines = second.stdout
      .trim()
      .split('\n')
      .map((line: string) => JSON.parse(line))
    expect(lines).toHaveLength(8)
    expect(lines[0]).toMatchObject({
      stage: 'pretrain',
      step: 0,
      steps: 4,
      metrics: { loss: expect.any(Number) },
    })
    expect(lines[7]).toMatchObject({ digest })
    expect(await readFile(join(directory, 'second', 'card.json'), 'utf8')).toContain('pass@1')
    expect((await whetstone('report', join(directory, 'second'))).stdout).toContain(digest)
  })

  it('stops on Ctrl-C with a checkpoint, says how to go on, and then ends with the digest of one that was not stopped', async () => {
    const settings = ['--set', 'steps=30', '--set', 'slow=30']
    const run = join(directory, 'stopped')
    const child = spawn(process.execPath, [main, 'train', program, '--run', run, ...settings, '--json'])
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    expect(code).toBe(130)
    expect(stderr).toContain('stopping after this step, with a checkpoint')
    expect(stderr).toContain(`whetstone train ${program} --run ${run} --resume`)
    const resumed = await whetstone('train', program, '--run', run, '--resume')
    const whole = await whetstone('train', program, '--run', join(directory, 'whole'), ...settings)
    expect(resumed.stdout.split('\n')[1]).toBe(whole.stdout.split('\n')[1])
  })

  it('says which measurement Ctrl-C broke off, and that it begins anew', async () => {
    const measuring = await file(
      'measuring.ts',
      `import { defineRun, RunInterrupted } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
export default defineRun({
  name: 'measuring',
  async train({ run, log }) {
    await run.once('held-out', async () => {
      log('at work')
      while (!run.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10))
      throw new RunInterrupted(run.directory)
    })
  },
})
`,
    )
    const run = join(directory, 'measuring')
    const child = spawn(process.execPath, [main, 'train', measuring, '--run', run])
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    await once(child.stderr, 'data')
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: `at work
stopping after this step, with a checkpoint, or in a measurement, which then begins anew on a resume; press Ctrl-C again to end at once
stopped; this goes on from what the run has kept (held-out was broken off and begins anew):
  npx whetstone train ${measuring} --run ${run} --resume
`,
    })
  })

  it('ends at once on a second Ctrl-C, and can be resumed', async () => {
    const sleepy = await file(
      'sleepy.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
import { runStage } from ${JSON.stringify(join(source, 'trainers', 'stage.ts'))}
const seconds = Number(process.env.SLEEP)
const step = () => new Promise((resolve) => setTimeout(() => resolve({ metrics: {} }), 1000 * seconds))
export default defineRun({
  name: 'sleepy',
  async train({ run, log }) {
    log('asleep')
    for await (const _ of runStage({ name: 'sleep', steps: 2, state: { models: {} }, run, step }));
  },
})
`,
    )
    const run = join(directory, 'sleepy')
    const child = spawn(process.execPath, [main, 'train', sleepy, '--run', run], {
      env: { ...process.env, SLEEP: '3600' },
    })
    const said = async (text: string) => {
      for await (const chunk of child.stderr.iterator({ destroyOnReturn: false }))
        if (String(chunk).includes(text)) return
    }
    await said('asleep')
    child.kill('SIGINT')
    await said('press Ctrl-C again to end at once')
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    expect(code).toBe(130)
    expect((await whetstone('train', sleepy, '--run', run, '--resume')).code).toBe(0)
  })

  it("leaves a folder of somebody else's as it was", async () => {
    const folder = join(directory, 'model')
    await mkdir(folder)
    await writeFile(join(folder, 'config.json'), '{"model_type": "llama"}')
    await writeFile(join(folder, 'notes.tmp'), 'mine')
    const refused = await whetstone('train', program, '--run', folder)
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /config\.json is not the config\.json of a run \(.*choose another directory/,
      ),
    })
    await rm(join(folder, 'config.json'))
    expect((await whetstone('train', program, '--run', folder)).stderr).toContain('holds no run')
    expect(await readdir(folder)).toEqual(['notes.tmp'])
  })

  it.runIf(process.platform === 'linux')('goes on to its end where what it says has no room', async () => {
    const command = [process.execPath, main, 'train', program, '--run', join(directory, 'full')]
    const outcome = await promisify(execFile)('sh', ['-c', `"$@" 2>/dev/full`, 'sh', ...command])
    expect(outcome.stdout).toContain('digest  ')
  })

  it.runIf(process.platform === 'linux')(
    'says once that its steps cannot be written, and fails',
    async () => {
      const command = [
        process.execPath,
        main,
        'train',
        program,
        '--run',
        join(directory, 'unwritten'),
        '--json',
      ]
      const outcome = promisify(execFile)('sh', ['-c', `"$@" >/dev/full`, 'sh', ...command])
      const { code, stderr } = await outcome.catch((error) => error)
      expect(code).toBe(1)
      expect(stderr.split('\n').filter((line: string) => !line.startsWith('pretrain'))).toEqual([
        'whetstone: standard output cannot be written: the disk is full; free some space',
        '--resume goes on from the last checkpoint, where there is one',
        '',
      ])
    },
  )

  it('refuses to go on with other settings, and without --resume', async () => {
    const run = join(directory, 'settings')
    await whetstone('train', program, '--run', run, '--set', 'steps=1')
    expect(await whetstone('train', program, '--run', run)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is a run in .* already; go on with it \(--resume/),
    })
    const other = await file(
      'other.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}\nexport default defineRun({ name: 'other', async train() {} })`,
    )
    expect(await whetstone('train', other, '--run', run, '--resume')).toMatchObject({
      code: 1,
      stderr: `whetstone: the run in ${run} is one of demo, not of other; name its program, or choose another directory\n`,
    })
    expect(await whetstone('train', program, '--run', run, '--resume', '--set', 'steps=2')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('steps was 1 and is 2'),
    })
  })

  it.each([
    ['misses.ts', 'undefinedFunction()', /misses\.ts:1: ReferenceError: undefinedFunction is not defined/],
    ['breaks.ts', 'const a = 1\nlet b = = 2', /breaks\.ts:2: SyntaxError: Expression expected/],
    ['page.txt', 'words', /page\.txt is no program: a run is a file of TypeScript/],
    ['data.json', '{}', /data\.json is no program/],
    [
      'nothing.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
export default defineRun({ name: 'nothing', train: () => Promise.reject(undefined) })`,
      /nothing\.ts: threw undefined/,
    ],
    [
      'object.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
export default defineRun({ name: 'object', train: () => Promise.reject({ code: 7 }) })`,
      /object\.ts: threw \{ code: 7 \}/,
    ],
    [
      'never.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
import { toyModel } from ${JSON.stringify(join(source, 'runs', 'testing', 'toy-training.ts'))}
export default defineRun({ name: 'never', async train() {
  await toyModel()
  await new Promise(() => {})
} })`,
      /^whetstone: train\(\) of never awaits a promise that nobody will settle: nothing is under way any more/,
    ],
    [
      'stuck.ts',
      'await new Promise(() => {})',
      /stuck\.ts awaits a promise that nobody will settle: nothing is under way any more/,
    ],
    [
      'leaves.ts',
      'process.exit(0)',
      /leaves\.ts ended the process before the run was over \(process\.exit\)\n--resume/,
    ],
    [
      'timer.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
export default defineRun({ name: 'timer', async train() {
  setTimeout(() => { throw new TypeError('too late') }, 10)
  await new Promise((resolve) => setTimeout(resolve, 60_000))
} })`,
      /an error that nobody caught ended \S+timer\.ts before the run was over: \S+timer\.ts:3: TypeError: too late\n--resume/,
    ],
    ['top.ts', '\nthrow new Error("no key")', /^whetstone: [^:]*top\.ts:2: no key\n$/],
    ['wordless.ts', 'throw new Error("")', /wordless\.ts:1: Error: it has no message\n$/],
    [
      'drops.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
export default defineRun({ name: 'drops', async train() {
  Promise.resolve().then(() => JSON.parse('{'))
  await new Promise((resolve) => setTimeout(resolve, 60_000))
} })`,
      /drops\.ts:3: a promise of train\(\) of drops that nobody awaited was rejected: Expected property name/,
    ],
    [
      'unawaited.ts',
      `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}
import { toyModel, toyPretrain } from ${JSON.stringify(join(source, 'runs', 'testing', 'toy-training.ts'))}
export default defineRun({ name: 'unawaited', async train({ run }) {
  const model = await toyModel()
  void (async () => { for await (const _ of toyPretrain(model, run, 5000)); })()
  await new Promise((resolve) => setTimeout(resolve, 200))
} })`,
      /the run was to end while pretrain was under way, after \d+ steps; await the loop over its steps/,
    ],
    ['enum.ts', 'enum A { B }', /enum\.ts:1: SyntaxError: TypeScript enum is not supported/],
  ])('says what is wrong with %s, and in which line', async (name, content, message) => {
    const outcome = await whetstone(
      'train',
      await file(name, content),
      '--run',
      join(directory, `never-${name}`),
    )
    expect(outcome).toMatchObject({ code: 1, stdout: '' })
    expect(outcome.stderr).toMatch(message)
    expect(outcome.stderr).not.toContain('    at ')
  })

  it('gives the place of what an imported file throws, once, and the stack where nobody caught it', async () => {
    const definition = `import { defineRun } from ${JSON.stringify(join(source, 'runs', 'index.ts'))}\n`
    const outcome = async (name: string, helper: string, body: string) => {
      await file(`${name}-helper.ts`, helper)
      const run = ['--run', join(directory, `run-${name}`)]
      return (await whetstone('train', await file(`${name}.ts`, body), ...run)).stderr
    }
    expect(await outcome('broken', 'export const a = = 2', `import './broken-helper.ts'`)).toMatch(
      /^whetstone: \S+broken-helper\.ts:1: SyntaxError: Expression expected\n$/,
    )
    const late = `export const late = () => { throw new Error('too late') }`
    const body = `import { late } from './imported-helper.ts'
export default defineRun({ name: 'imported', async train() {
  setTimeout(late, 10)
  await new Promise((resolve) => setTimeout(resolve, 60_000))
} })`
    expect(await outcome('imported', late, definition + body)).toMatch(
      /imported\.ts before the run was over: Error: too late\n\s+at .*imported-helper\.ts:1[\s\S]*\n--resume goes on/,
    )
  })

  it('says which file of the run is damaged, and blames no line of the program', async () => {
    const run = join(directory, 'damaged')
    await whetstone('train', program, '--run', run)
    const metrics = join(run, 'metrics.jsonl')
    await writeFile(metrics, (await readFile(metrics, 'utf8')).replace('pretrain', 'Pretrain'))
    expect(await whetstone('train', program, '--run', run, '--resume')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^whetstone: \S+damaged\/metrics\.jsonl is not what the run wrote/),
    })
  })

  it('names what is not there, and the option that was meant', async () => {
    const run = ['--run', join(directory, 'nothing')]
    expect((await whetstone('train', 'recipes/none', ...run)).stderr).toContain(
      'there is no file, folder or recipe recipes/none; the recipes are recipes/smollm2-code, recipes/tiny-code',
    )
    expect(await whetstone('train', program, ...run, '--set', 'step=2')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('options: unknown key step; did you mean steps?'),
    })
    expect(await whetstone('train', program, ...run, '--set', 'steps=0')).toMatchObject({
      code: 2,
      stderr: 'whetstone: options: steps: Too small: expected number to be >=1, got 0\n',
    })
    expect(await whetstone('train', program, '--run', '')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('must not be empty'),
    })
    expect((await whetstone('train', program)).code).toBe(2)
    expect((await whetstone('report', directory)).stderr).toContain('there is no run in')
    const gone = join(directory, 'gone')
    await whetstone('train', program, '--run', gone, '--set', 'steps=1')
    await rm(join(gone, 'metrics.jsonl'))
    expect((await whetstone('report', gone)).stderr).toMatch(
      /gone\/metrics\.jsonl is gone; bring the file back\n$/,
    )
  })
})
