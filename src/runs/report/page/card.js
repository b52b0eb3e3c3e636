import { element, formatNumber, section, svgElement, table } from './dom.js'

/** What was measured after each stage, and sample answers. */
export function cardSections(card) {
  if (!card) return []
  const parts = []
  if (card.stages?.length) parts.push(section('After each stage', measurements(card.stages)))
  if (card.notes?.length)
    parts.push(
      section(
        'Notes',
        element(
          'ul',
          {},
          card.notes.map((note) => element('li', {}, note)),
        ),
      ),
    )
  if (card.samples?.length) parts.push(section('Sample answers', card.samples.map(sampleAnswers)))
  return parts
}

function measurements(stages) {
  const all = [...new Set(stages.flatMap(({ values }) => Object.keys(values)))]
  const names = all.filter(
    (name) => !/(Low|High)$/.test(name) || !all.includes(name.replace(/(Low|High)$/, '')),
  )
  const most = (name) =>
    Math.max(0, ...stages.flatMap(({ values }) => [values[name] ?? 0, values[`${name}High`] ?? 0]))
  // Where all is 0 any axis will do.
  const ends = Object.fromEntries(names.map((name) => [name, roundUp(most(name) || 1)]))
  const rows = stages.map(({ name, values }) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      names.map((measured) => element('td', {}, intervalCell(values, measured, ends[measured]))),
    ),
  )
  return table(['Stage', ...names], rows)
}

/** The end of an axis: the next of 1, 2, 2.5, 5 times a power of ten. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * [1, 2, 2.5, 5, 10].find((step) => step * power >= value * 0.999)
}

/** A dot with its interval on an axis from 0, and the numbers. */
function intervalCell(values, name, end) {
  const value = values[name]
  if (value === undefined) return '–'
  const [low, high] = [values[`${name}Low`], values[`${name}High`]]
  const at = (number) => 4 + (152 * Math.max(0, Math.min(number, end))) / end
  const interval = low !== undefined && high !== undefined
  const drawing = svgElement(
    'svg.interval',
    { viewBox: '0 0 160 20', width: 160, height: 20, 'aria-hidden': 'true' },
    svgElement('line.axis', { x1: 4, x2: 156, y1: 10, y2: 10 }),
    svgElement('line.tick', { x1: 4, x2: 4, y1: 6, y2: 14 }),
    svgElement('line.tick', { x1: 156, x2: 156, y1: 6, y2: 14 }),
    interval && svgElement('line.range', { x1: at(low), x2: at(high), y1: 10, y2: 10 }),
    svgElement('circle', { cx: at(value), cy: 10, r: 4.5 }),
  )
  const text = element(
    'span.value',
    {},
    element('b', {}, formatNumber(value)),
    interval && element('span.muted', {}, ` ${formatNumber(low)} to ${formatNumber(high)}`),
  )
  return element('div.measured', { title: `axis from 0 to ${formatNumber(end)}` }, drawing, text)
}

function sampleAnswers({ prompt, answers }, index) {
  const opening =
    prompt
      .trim()
      .split('\n')
      .find((line) => line.trim() !== '') ?? ''
  return element(
    'details.sample',
    { open: index < 2 },
    element('summary', {}, opening.length > 110 ? `${opening.slice(0, 110)}…` : opening),
    prompt.trim() !== opening.trim() && element('pre.prompt', { tabindex: 0 }, prompt),
    element(
      'div.answers',
      {},
      answers.map(({ label, text, passed }) =>
        element(
          'div.answer',
          {},
          element(
            'h3',
            {},
            label,
            passed !== undefined &&
              element(`span.badge.${passed ? 'good' : 'bad'}`, {}, passed ? 'passed' : 'failed'),
          ),
          element('pre', { tabindex: 0 }, text),
        ),
      ),
    ),
  )
}
