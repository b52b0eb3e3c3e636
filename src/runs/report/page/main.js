import { cardSections } from './card.js'
import { element, embedded, formatBytes, formatDuration, formatNumber, section, table } from './dom.js'
import { drawAll, plotFigure } from './plots.js'
import { rolloutsSection } from './rollouts.js'

const data = embedded('data')
const root = document.getElementById('report')

function header({ configuration, finished, stages }) {
  const { name, seed, versions, hardware, created, options, datasets } = configuration
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0)
  const facts = [
    ['Seed', seed],
    ['Steps', formatNumber(stages.reduce((sum, stage) => sum + stage.steps, 0))],
    ['Time in steps', formatDuration(seconds)],
    ['Begun', new Date(created).toLocaleString()],
    [
      'Machine',
      `${hardware.cpu}, ${hardware.threads} threads, ${hardware.enginePath}, ${formatBytes(hardware.memoryBytes)}`,
    ],
    ['Versions', `whetstone ${versions.whetstone}, Node ${versions.node}`],
    ['Digest', finished ? element('code', {}, finished.digest) : 'none: the run has not come to its end'],
  ]
  const settings = Object.entries({ ...options, ...prefixed('examples: ', datasets) })
  return element(
    'header.top',
    {},
    element(
      'h1',
      {},
      name,
      element(`span.badge.${finished ? 'good' : 'bad'}`, {}, finished ? 'finished' : 'not finished'),
    ),
    element(
      'dl.facts',
      {},
      facts.map(([term, value]) => element('div', {}, element('dt', {}, term), element('dd', {}, value))),
    ),
    settings.length > 0 &&
      element(
        'details',
        {},
        element('summary', {}, `Options (${settings.length})`),
        table(
          ['Option', 'Value'],
          settings.map(([key, value]) =>
            element(
              'tr',
              {},
              element('th', { scope: 'row' }, key),
              element('td', {}, element('code', {}, JSON.stringify(value))),
            ),
          ),
        ),
      ),
  )
}

function prefixed(prefix, values) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value]))
}

function costsTable(stages) {
  const rows = stages.map((stage) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, stage.name),
      element('td.number', {}, formatNumber(stage.steps)),
      element('td.number', {}, formatDuration(stage.seconds)),
      element('td.number', {}, formatDuration(stage.seconds / Math.max(1, stage.steps))),
      element('td.number', {}, formatNumber(stage.tokens)),
      element(
        'td.number',
        {},
        stage.tokens && stage.seconds ? formatNumber(Math.round(stage.tokens / stage.seconds)) : '–',
      ),
      element('td.number', {}, stage.peakBytes ? formatBytes(stage.peakBytes) : '–'),
      element(
        'td',
        {},
        stage.changes.map(({ metric, first, last }) =>
          element('div', {}, `${metric} ${formatNumber(first)} → `, element('b', {}, formatNumber(last))),
        ),
      ),
    ),
  )
  const headings = [
    'Stage',
    'Steps',
    'Time',
    'Time a step',
    'Tokens',
    'Tokens a second',
    'Memory after a step, at most',
    'First → last tenth',
  ]
  return section('Stages', table(headings, rows))
}

function warnings(stages) {
  const all = stages.flatMap((stage) => stage.warnings.map((one) => ({ ...one, stage: stage.name })))
  if (all.length === 0) return []
  const counts = new Map()
  for (const { stage, step, text } of all) {
    // The same warning with other numbers is the same warning.
    const kind = `${stage} ${text.replace(/[-\d.]+(e[-+]?\d+)?/g, '#')}`
    const entry = counts.get(kind) ?? { stage, text, first: step, last: step, count: 0 }
    counts.set(kind, { ...entry, last: step, count: entry.count + 1 })
  }
  const rows = [...counts.values()].map(({ stage, text, first, last, count }) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, stage),
      element('td.number', {}, count === 1 ? `step ${first}` : `${count} in steps ${first} to ${last}`),
      element('td', {}, text),
    ),
  )
  return [section('Warnings', table(['Stage', 'When', 'What'], rows))]
}

function curves(stages) {
  const groups = stages.map((stage) =>
    element(
      'div.stage',
      {},
      element('h3', {}, stage.name),
      Object.keys(stage.constants).length > 0 &&
        element(
          'p.muted',
          {},
          `The same in all steps: ${Object.entries(stage.constants)
            .map(([name, value]) => `${name} ${formatNumber(value)}`)
            .join(', ')}.`,
        ),
      element(
        'div.plots',
        {},
        stage.plots.map((plot) => plotFigure(plot, stage.name)),
      ),
    ),
  )
  const names = ['All', ...stages.map(({ name }) => name)]
  const buttons = names.map((name, index) =>
    element(
      'button',
      { type: 'button', 'aria-pressed': String(index === 0), click: () => show(index) },
      name,
    ),
  )
  function show(index) {
    for (const [i, button] of buttons.entries()) button.setAttribute('aria-pressed', String(i === index))
    for (const [i, group] of groups.entries()) group.hidden = index > 0 && i !== index - 1
    drawAll()
  }
  return section(
    'Curves',
    stages.length > 1 && element('div.tabs', { role: 'group', 'aria-label': 'Stages' }, buttons),
    groups,
  )
}

root.replaceChildren(
  header(data),
  ...cardSections(data.card),
  costsTable(data.stages),
  ...warnings(data.stages),
  curves(data.stages),
  ...rolloutsSection(data.rollouts, data.tokenTexts),
)
drawAll()
let width = innerWidth
addEventListener('resize', () => {
  if (innerWidth === width) return
  width = innerWidth
  drawAll()
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll)
