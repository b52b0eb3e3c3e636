import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { writeFileAtomically } from '../../files/index.ts'
import { readConfiguration } from '../configuration.ts'
import { finishedSchema } from '../digest-problem.ts'
import { refuseEdited } from '../edited-configuration.ts'
import { checkRun } from '../layout.ts'
import { parseJson } from '../parse-json.ts'
import type { Run } from '../run.ts'
import { RunError, writing } from '../run-error.ts'
import { readTokenTexts } from '../token-texts.ts'
import { cardSchema, type ReportCard } from './card.ts'
import { chooseRollouts, type ShownStep } from './choose-rollouts.ts'
import { embedJson, escapeHtml } from './embed.ts'
import { readHistory } from './history.ts'
import { stageCosts } from './stage-costs.ts'
import { stagePlots } from './stage-plots.ts'

/** In an order in which each comes after those it imports. */
const SCRIPTS = ['dom.js', 'card.js', 'plots.js', 'rollouts.js', 'main.js']

/**
 * Writes a run's report.html, one file that needs no network, and gives its path. A card is kept as card.json and used again where a later
 * call brings none. Also for a run that is being written or was broken off.
 */
export async function writeReport(path: string, { card }: { card?: ReportCard } = {}): Promise<string> {
  const directory = resolve(path)
  await checkRun(directory)
  const configuration = await readConfiguration(join(directory, 'config.json'))
  if (!configuration) throw new RunError(`there is no run in ${directory}: it has no config.json`)
  if (card) await keepCard(directory, card)
  // Once the card is safe: nobody could give it again.
  await refuseEdited(directory, configuration)
  return draw({ directory, configuration })
}

/** The same for a run that is open: its configuration is known, whatever became of config.json on the way. */
export async function writeReportOf(run: Run, card?: ReportCard): Promise<string> {
  await checkRun(run.directory)
  if (card) await keepCard(run.directory, card)
  return draw(run)
}

function cardFile(directory: string): string {
  return join(directory, 'card.json')
}

function keepCard(directory: string, card: ReportCard): Promise<void> {
  return writeFileAtomically(cardFile(directory), JSON.stringify(cardSchema.parse(card), null, 2))
}

async function draw({ directory, configuration }: Pick<Run, 'directory' | 'configuration'>): Promise<string> {
  const history = await readHistory(directory)
  const rollouts = await chooseRollouts(
    directory,
    history.map(({ name }) => name),
  )
  const texts = await readTokenTexts(directory)
  const data = {
    configuration,
    tokenTexts: Object.fromEntries(tokensIn(rollouts.steps).map((id) => [id, texts[id] ?? ''])),
    finished: await readJson(finishedSchema.pick({ digest: true }), join(directory, 'finished.json')),
    card: await readJson(cardSchema, cardFile(directory)),
    stages: history.map((stage) => ({ ...stageCosts(stage), ...stagePlots(stage) })),
    rollouts: {
      coverage: rollouts.coverage,
      steps: rollouts.steps.map(({ stage, step, leftOut }) => ({ stage, step, leftOut })),
    },
  }
  const blocks = [
    block('data', data),
    ...rollouts.steps.map((step, index) => block(`rollouts-${index}`, step.rollouts)),
  ]
  const report = join(directory, 'report.html')
  const text = await page(configuration.name, blocks)
  await writing(report, 'What the run has written is good', () => writeFileAtomically(report, text))
  return report
}

/** Ids in the segments of rollouts, each once. */
function tokensIn(steps: readonly ShownStep[]): number[] {
  const ids = new Set<number>()
  for (const { rollouts } of steps)
    for (const one of rollouts as { segments?: { tokens?: number[] }[]; tokens?: unknown }[])
      for (const { tokens } of one.segments ?? [one])
        if (Array.isArray(tokens)) for (const id of tokens) ids.add(id)
  return [...ids].sort((a, b) => a - b)
}

function block(id: string, value: unknown): string {
  return `<script type="application/json" id="${id}">${embedJson(value)}</script>`
}

async function page(name: string, blocks: readonly string[]): Promise<string> {
  const own = (file: string) => readFile(join(import.meta.dirname, 'page', file), 'utf8')
  const plots = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  const library = await readFile(join(plots, 'dist', 'uPlot.iife.min.js'), 'utf8')
  const code = (await Promise.all(SCRIPTS.map(own))).map(withoutModules).join('\n')
  const script = `${library}\n(() => {\n'use strict'\n${code}\n})()`
  const style = `${await readFile(join(plots, 'dist', 'uPlot.min.css'), 'utf8')}\n${await own('page.css')}`
  // No script but this one may run, whatever a rollout says, and nothing may be fetched.
  const policy = `default-src 'none'; style-src '${sourceHash(style)}'; script-src '${sourceHash(script)}'; base-uri 'none'; form-action 'none'`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(name)}: report</title>
<style>${style}</style>
</head>
<body>
<div id="report"><noscript>This report draws itself with JavaScript, which is off here.</noscript></div>
${blocks.join('\n')}
<script>${script}</script>
</body>
</html>
`
}

/** One script cannot import from another of the same page, so all of them share one scope. */
function withoutModules(code: string): string {
  return code.replaceAll(/^import [^']*'[^']*'\n/gm, '').replaceAll(/^export /gm, '')
}

function sourceHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

async function readJson<T>(schema: z.ZodType<T>, path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : parseJson(schema, text, path)
}
