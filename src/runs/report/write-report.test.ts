import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runStage } from '../../trainers/stage.ts'
import { openRun } from '../open-run.ts'
import { findBrowser, openPage, type Page } from '../testing/browser.ts'
import { toyModel, toyPretrain } from '../testing/toy-training.ts'
import { chooseRollouts } from './choose-rollouts.ts'
import { embedJson } from './embed.ts'
import { writeReport } from './write-report.ts'

const HOSTILE =
  '</script><script>document.title="taken"</script><img src="x" onerror="document.title=\'taken\'"><!--'
const STEPS = 10_000
const GRPO_STEPS = 100

let directory: string
let report: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-report-'))
  const run = await openRun(directory, { name: HOSTILE, seed: 1, options: { text: HOSTILE } })
  for await (const _ of toyPretrain(await toyModel(), run, 2));
  await runLong(run)
  await runGrpo(run)
  await run.finish()
  await run.close()
  report = await writeReport(directory, {
    card: {
      stages: [
        {
          name: 'sft',
          values: { 'pass@1': 0.2, 'pass@1Low': 0.1, 'pass@1High': 0.3, never: 0, neverLow: 0, neverHigh: 0 },
        },
        { name: HOSTILE, values: { 'pass@1': 0.4 } },
      ],
      samples: [{ prompt: HOSTILE, answers: [{ label: 'before', text: HOSTILE, passed: false }] }],
      notes: [HOSTILE],
    },
  })
})
afterAll(() => rm(directory, { recursive: true }))

type Run = Awaited<ReturnType<typeof openRun>>

async function runLong(run: Run) {
  const step = async (index: number) => ({ metrics: { loss: 1 / (1 + index), constant: 3 } })
  for await (const _ of runStage({ name: 'long', steps: STEPS, state: { models: {} }, run, step }));
}

async function runGrpo(run: Run) {
  const step = async (index: number) => ({
    metrics: {
      reward: index / GRPO_STEPS,
      kl: 0.01 * index,
      entropy: 2 - index / GRPO_STEPS,
      tokens: 100 + index,
    },
    seconds: { rollouts: 0.5, forwardBackward: 0.25 },
    warnings: index === 3 ? [`entropy fell ${HOSTILE}`] : [],
    rollouts: [0, 1, 2].map((sample) => rollout(index, sample)),
  })
  const evaluate = { every: 20, measure: async () => ({ pass: 0.5, passLow: 0.4, passHigh: 0.6 }) }
  for await (const _ of runStage({
    name: 'grpo',
    steps: GRPO_STEPS,
    state: { models: {} },
    run,
    step,
    evaluate,
  }));
}

function rollout(step: number, sample: number) {
  return {
    taskId: `task ${step}`,
    sample,
    reward: sample / 2,
    parts: { tests: sample / 2 },
    truncated: sample === 2,
    ...(sample === 1 && { failure: 'Error: timed out' }),
    calls: [
      {
        messages: [{ role: 'user', content: HOSTILE }],
        text: `answer ${sample} of step ${step} ${HOSTILE}`,
        toolCalls: [{ id: 'a', name: 'run', arguments: { code: HOSTILE } }],
        stopReason: 'stop',
        promptTokens: 2,
        tokens: 2,
        segment: 0,
      },
    ],
    segments: [
      {
        tokens: Int32Array.of(65, 66, 67, 68),
        mask: Uint8Array.of(0, 0, 1, 1),
        logprobs: Float32Array.of(0, 0, -1, -2),
      },
    ],
  }
}

describe("a run's report", () => {
  it('is one file that asks for nothing, in which no text ends a script', async () => {
    const html = await readFile(report, 'utf8')
    expect(html).not.toMatch(/(?:src|href)="/)
    expect(html.match(/<\/script>/g)).toHaveLength(html.match(/<script[ >]/g)!.length)
    expect(html).not.toContain('onerror="document')
    expect(html.length).toBeLessThan(1_000_000)
  })

  it('escapes what HTML and old JavaScript read in JSON, and nothing is lost', () => {
    const value = { text: `${HOSTILE}\u2028\u2029&` }
    expect(embedJson(value)).not.toMatch(/[<>\u2028\u2029]/)
    expect(JSON.parse(embedJson(value))).toEqual(value)
  })

  it('is written of a run that is not over, with half a line', async () => {
    const run = await openRun(join(directory, 'going'), { name: 'going', seed: 1 })
    for await (const _ of toyPretrain(await toyModel(), run, 2));
    await appendFile(join(directory, 'going', 'metrics.jsonl'), '{"stage":"pre')
    expect(await readFile(await writeReport(join(directory, 'going')), 'utf8')).toContain('"steps":2')
    await run.close()
  })

  it('holds rollouts of steps spread over the stage within its budget, and says what is left out', async () => {
    const { steps, coverage } = await chooseRollouts(directory, ['pretrain', 'long', 'grpo'])
    expect(coverage).toEqual([{ stage: 'grpo', steps: 100, shownSteps: 60, withoutTokens: false }])
    expect([steps[0]?.step, steps.at(-1)?.step]).toEqual([0, 99])
    const tight = await chooseRollouts(directory, ['grpo'], 4000)
    expect(tight.steps.length).toBeLessThan(4)
    expect(JSON.stringify(tight.steps).length).toBeLessThan(6000)
    const least = await chooseRollouts(directory, ['grpo'], 10)
    expect(least.steps).toMatchObject([{ step: 99, rollouts: [{ sample: 0 }], leftOut: 2 }])
  })

  it('shows a rollout too long for a page without its tokens, and one that still is by its reward alone', async () => {
    const folder = join(directory, 'long-rollouts', 'rollouts', 'grpo')
    await mkdir(folder, { recursive: true })
    const tokens = { segments: [{ tokens: Array(60_000).fill(12345) }] }
    const long = { taskId: 'a', reward: 1, calls: [], ...tokens }
    const longer = { taskId: 'b', reward: 0, calls: [{ text: 'x'.repeat(300_000) }] }
    await writeFile(join(folder, '0.jsonl'), `${JSON.stringify(long)}\n${JSON.stringify(longer)}\n`)
    const { steps, coverage } = await chooseRollouts(join(directory, 'long-rollouts'), ['grpo'])
    expect(coverage[0]?.withoutTokens).toBe(true)
    expect(steps[0]?.rollouts).toEqual([
      { taskId: 'a', reward: 1, calls: [] },
      { taskId: 'b', reward: 0, note: expect.stringContaining('are too many for this page') },
    ])
  })

  it.each([
    ['metrics.jsonl', ':2', '{"half": \n', 'JSON'],
    ['timing.jsonl', ':2', '{"half": \n', 'JSON'],
    ['rollouts/toy/0.jsonl', ':2', '{"half": \n', 'JSON'],
    ['card.json', '', '{"half": \n', 'JSON'],
    ['tokens.json', '', '{"half": \n', 'JSON'],
    ['finished.json', '', '{"half": \n', 'JSON'],
    [
      'metrics.jsonl',
      ':2',
      '{"stage": "toy", "step": 1}\n',
      'metrics: Invalid input: expected record, got undefined',
    ],
    ['timing.jsonl', ':2', '5\n', 'expected object'],
    ['rollouts/toy/0.jsonl', ':2', '{"segments": 7}\n', 'segments: Invalid input: expected array, got 7'],
    ['card.json', '', '5', 'expected object'],
    ['tokens.json', '', '{}', 'expected array'],
    ['finished.json', '', '{}', 'digest: Invalid input: expected string, got undefined'],
  ])('names the file and the line where %s%s is broken: %j', async (name, line, text, reason) => {
    const broken = await mkdtemp(join(tmpdir(), 'whetstone-broken-'))
    const run = await openRun(broken, { name: 'toy', seed: 1 })
    const outcome = { metrics: { loss: 1 }, rollouts: [{ reward: 1 }] }
    const stage = { name: 'toy', steps: 1, state: { models: {} }, run, step: async () => outcome }
    for await (const _ of runStage(stage));
    await run.close()
    await appendFile(join(broken, name), text)
    const refused = writeReport(broken)
    await expect(refused).rejects.toThrow(`${join(broken, name)}${line} is not what the run wrote (`)
    await expect(refused).rejects.toThrow(reason)
    await rm(broken, { recursive: true })
  })

  it('of nothing is refused', async () => {
    await expect(writeReport(join(directory, 'checkpoints'))).rejects.toThrow('there is no run in')
  })
})

const browser = findBrowser()

describe.skipIf(!browser)('the report in a browser (skipped where there is no Chromium)', () => {
  let page: Page
  beforeAll(async () => {
    page = await openPage(browser as string, `file://${report}`)
  })
  afterAll(() => page?.close())
  const text = (selector: string) =>
    page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)}).textContent`)
  const count = (selector: string) =>
    page.evaluate<number>(`document.querySelectorAll(${JSON.stringify(selector)}).length`)

  it('draws every plot, runs no text of a rollout and complains of nothing', async () => {
    expect(await page.evaluate('document.title')).toBe(`${HOSTILE}: report`)
    expect(await count('.plot canvas')).toBe(await count('.plot'))
    expect(await count('img')).toBe(0)
    expect(page.complaints).toEqual([])
    expect(await text('h1')).toContain(HOSTILE)
    expect(await text('h1')).toContain('finished')
  })

  it('shows curves of 10,000 steps by a few hundred points, and what never changed in words', async () => {
    expect(await text('#report')).toContain('mean and range of 17 steps a point')
    expect(await text('#report')).toContain('The same in all steps: constant 3.')
    expect(await text('#report')).toContain('0.5 (0.4 to 0.6)')
  })

  it('reads a plot by keys', async () => {
    const plot = "[...document.querySelectorAll('.plot')].find((one) => one.textContent.startsWith('reward'))"
    await page.evaluate(`${plot}.focus()`)
    await page.press('Home')
    for (let i = 0; i < 3; i++) await page.press('ArrowRight')
    expect(await page.evaluate(`${plot}.querySelector('figcaption').textContent`)).toBe('step 3reward 0.03')
  })

  it('walks through rollouts by keys, filters them and shows their tokens when asked', async () => {
    await page.evaluate("document.querySelector('.list').focus()")
    await page.press('ArrowDown')
    expect(await text('.detail')).toContain('Error: timed out')
    expect(await text('.detail')).toContain(`answer 1 of step 99 ${HOSTILE}`)
    await page.press('End')
    expect(await text('.detail h3')).toContain('task 99 #2')
    await page.evaluate(`(() => {
      const filter = [...document.querySelectorAll('select')].find((one) => one.textContent.includes('Failed'))
      filter.value = 'failed'
      filter.dispatchEvent(new Event('change'))
    })()`)
    expect(await count('.list li')).toBe(1)
    expect(await count('.tokens span')).toBe(0)
    await page.evaluate("document.querySelector('.detail details').open = true")
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 50))')
    await expect.poll(() => count('.tokens span')).toBe(4)
    expect(await page.evaluate("document.querySelector('.tokens span:last-child').title")).toBe(
      'token 68, log-probability -2',
    )
  })

  it('changes to the dark and fits a narrow screen', async () => {
    const background = 'getComputedStyle(document.body).backgroundColor'
    await page.emulate({ scheme: 'light' })
    expect(await page.evaluate(background)).toBe('rgb(255, 255, 255)')
    await page.emulate({ scheme: 'dark', width: 400 })
    expect(await page.evaluate(background)).toBe('rgb(20, 23, 27)')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400)
    expect(page.complaints).toEqual([])
  })
})
