/**
 * Writes docs/losses.md from the heads of the files and the tables of options.
 *
 *   node scripts/docs-losses.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { gaeOptions } from '../src/advantages/gae.ts'
import { gdpoDecoupledOptions } from '../src/advantages/gdpo-decoupled.ts'
import { groupNormalisedOptions } from '../src/advantages/group-normalised.ts'
import { reinforceAdvantageOptions } from '../src/advantages/reinforce.ts'
import { reinforcePlusPlusAdvantageOptions } from '../src/advantages/reinforce-plus-plus.ts'
import { registry } from '../src/losses/index.ts'
import type { OptionSpecs } from '../src/losses/options.ts'

const source = new URL('../src/', import.meta.url)

interface Entry {
  id: string
  file: string
  options: OptionSpecs
}

const losses: Entry[] = Object.entries(registry)
  .filter(([, { kind }]) => kind !== 'advantage')
  .map(([id, entry]) => ({ id, file: `losses/${id}.ts`, options: 'options' in entry ? entry.options : {} }))

const advantages: Entry[] = [
  { id: 'gae', file: 'advantages/gae.ts', options: gaeOptions },
  { id: 'gdpo-decoupled', file: 'advantages/gdpo-decoupled.ts', options: gdpoDecoupledOptions },
  { id: 'group-normalised', file: 'advantages/group-normalised.ts', options: groupNormalisedOptions },
  { id: 'rloo', file: 'advantages/rloo.ts', options: {} },
  { id: 'reinforce', file: 'advantages/reinforce.ts', options: reinforceAdvantageOptions },
  {
    id: 'reinforce-plus-plus',
    file: 'advantages/reinforce-plus-plus.ts',
    options: reinforcePlusPlusAdvantageOptions,
  },
]

/** The comment that opens a file: a summary, then fields `Name: text` that may run over several lines. */
export function readHead(
  text: string,
  file: string,
): Record<'summary' | 'Formula' | 'Paper' | 'Peers', string> {
  const comment = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(text)?.[1]
  if (!comment) throw new Error(`${file} does not open with a /** comment`)
  const lines = comment.split('\n').map((line) => line.replace(/^ \* ?/, ''))
  const head: Record<string, string> = { summary: '' }
  let field = 'summary'
  for (const line of lines) {
    const start = /^(Formula|Paper|Peers): (.*)$/.exec(line)
    if (start) field = start[1]!
    head[field] = `${head[field] ?? ''} ${start ? start[2] : line.trim()}`.trim()
  }
  for (const name of ['summary', 'Formula', 'Paper', 'Peers']) {
    if (!head[name]) throw new Error(`the head of ${file} has no ${name}`)
  }
  return head as ReturnType<typeof readHead>
}

/** Text of a table's cell: what Markdown would read as marks is escaped, outside of code. */
function cell(text: string): string {
  const pieces = text.split('`').map((piece, i) => (i % 2 === 0 ? piece.replace(/[*_<[\]]/g, '\\$&') : piece))
  return pieces.join('`').replaceAll('|', '\\|')
}

function optionsOf(options: OptionSpecs): string {
  const listed = Object.entries(options).map(([name, { fallback }]) => `\`${name}\` (${fallback})`)
  return listed.join(', ') || 'none'
}

function section(title: string, introduction: string, entries: Entry[]): string {
  const heads = entries.map((entry) => ({
    ...entry,
    head: readHead(readFileSync(new URL(entry.file, source), 'utf8'), entry.file),
  }))
  const rows = heads.map(
    ({ id, file, head, options }) =>
      `| [\`${id}\`](../src/${file}) | ${cell(head.summary)} | ${cell(head.Formula)} | ${cell(head.Paper)} | ${cell(optionsOf(options))} |`,
  )
  const peers = heads.map(({ id, head }) => `- \`${id}\`: ${cell(head.Peers)}`)
  return [
    `## ${title}`,
    '',
    introduction,
    '',
    '| id | what | formula | paper | options (default) |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '### Where peers differ',
    '',
    ...peers,
  ].join('\n')
}

function optionTable(): string {
  const users = new Map<string, string[]>()
  for (const { id, options } of [...losses, ...advantages]) {
    for (const [name, { values, description }] of Object.entries(options)) {
      const row = `| \`${name}\` | ${cell(values)} | ${cell(description)} |`
      const ids = users.get(row) ?? []
      if (!ids.includes(id)) users.set(row, [...ids, id])
    }
  }
  const rows = [...users].map(([row, ids]) => `${row} ${ids.map((id) => `\`${id}\``).join(', ')} |`).sort()
  return ['## Options', '', '| option | allowed | meaning | of |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  )
}

export function renderLossesPage(): string {
  return `${[
    '# Losses and advantages',
    '<!-- Written by `node scripts/docs-losses.ts` from the heads of the files; edit those. -->',
    introduction,
    section('Losses, KL estimators, importance weights', 'From `whetstone/losses`, by id.', losses),
    section('Advantages', 'From `whetstone/advantages`. One number a sequence, or one a token.', advantages),
    optionTable(),
  ].join('\n\n')}\n`
}

const introduction = `In the formulas \`l\` is the log-probability of a token under the policy in training, \`lo\` under the policy at the start of the
step, \`ls\` as the sampler recorded it, \`lr\` under the reference; \`m\` the loss mask, \`r = exp(l - lo)\`, \`d = l - lr\`, \`h\` the
sum of \`m*d\` over a response, \`A\` the advantage, \`s\` the logistic function.

A loss is built from its options and from totals counted over the whole batch. It then maps one example and the model's outputs to a
loss, its gradient in each output, and metrics; those of a batch's examples add up, however the batch is split. Metrics whose names
end in \`Min\` or \`Max\` combine by minimum and maximum instead.

\`\`\`ts
import { groupNormalised } from 'whetstone/advantages'
import { algorithm, batchLoss, tokenTotals } from 'whetstone/losses'

const masks = [[0, 1, 1], [0, 1, 0]] // 1 on tokens that the policy chose
const advantages = groupNormalised({}, [1, 0], [0, 0]) // rewards, and the prompt of each
const loss = algorithm('grpo').build({ clipHigh: 0.28 }, tokenTotals(masks))

const examples = masks.map((mask, i) => ({
  sequences: [{ input: Int32Array.of(7, 8, 9), target: Int32Array.of(8, 9, 0) }],
  masks: [mask],
  advantages: [advantages[i]!],
  oldLogprobs: [Float32Array.of(0, -1, -2)],
}))
const outputs = masks.map(() => [{ logprobs: Float32Array.of(0, -0.9, -2.1) }])
const { loss: value, gradients, metrics } = batchLoss(loss, examples, outputs)
console.log(value.toFixed(4), gradients.length, metrics.clipFraction)
\`\`\`

A bare \`gspo\` or \`gdpo\` means several algorithms in the literature and is refused with an error that lists them. A critic of its own trains on
\`valueLoss\`. TRPO's step (\`trustRegionStep\`) and DoReMi's weights (\`updateDomainWeights\`) have no id, for they are not losses. \`npm run goldens -- DIR\` runs golden vectors, \`npm run gradcheck\` compares every gradient with finite differences, and
\`npm run mutants\` makes mistakes on purpose and sees that the tests notice.`

if (import.meta.main) writeFileSync(new URL('../docs/losses.md', import.meta.url), renderLossesPage())
