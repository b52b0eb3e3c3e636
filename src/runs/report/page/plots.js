import { element, formatNumber } from './dom.js'

const drawn = []
const PLOT_HEIGHT = 170
const STEP_INCREMENTS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((power) => [power, 2 * power, 5 * power])

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

/** A figure that draws itself once it is on the page, and again when the width or the colours change. */
export function plotFigure(plot, stage) {
  const legend = element('figcaption', {})
  const canvas = element('div.canvas', {})
  const figure = element(
    'figure.plot',
    { tabindex: 0, 'aria-label': describePlot(plot, stage), keydown: (event) => moveCursor(event, figure) },
    element('h4', {}, plot.unit ? `${plot.title} (${plot.unit})` : plot.title),
    canvas,
    legend,
  )
  drawn.push({ plot, figure, canvas, legend, stage, chart: undefined })
  return figure
}

function describePlot({ title, series }, stage) {
  const parts = series.map(({ name, x, y }) => {
    const last = y.findLastIndex((value) => value !== null)
    return last < 0
      ? name
      : `${name} ${formatNumber(y[0])} at step ${x[0]}, ${formatNumber(y[last])} at step ${x[last]}`
  })
  return `${stage}, ${title}: ${parts.join('; ')}. Arrow keys read it step by step.`
}

export function drawAll() {
  for (const item of drawn) draw(item)
}

function draw(item) {
  const width = item.canvas.clientWidth
  if (width === 0) return
  item.chart?.destroy()
  const { plot } = item
  const { data, series, bands, shown } = columnsOf(plot)
  item.shown = shown
  const options = {
    width,
    height: PLOT_HEIGHT,
    legend: { show: false },
    cursor: { y: false, sync: { key: item.stage }, points: { size: 6 } },
    scales: {
      x: { time: false, range: (_, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) },
      ...(plot.kind === 'stacked' && { y: { range: (_, _low, high) => [0, (high || 1) * 1.05] } }),
    },
    axes: [
      axis({ size: 26, incrs: STEP_INCREMENTS }),
      axis({ size: 58, values: (_, ticks) => ticks.map(formatNumber) }),
    ],
    series,
    bands,
    hooks: {
      setCursor: [(chart) => showLegend(item, chart.cursor.idx)],
      draw: plot.kind === 'points' ? [(chart) => drawIntervals(chart, plot)] : [],
    },
  }
  item.chart = new uPlot(options, data, item.canvas)
  showLegend(item, null)
}

function axis(more) {
  const line = { stroke: colour('grid'), width: 1 }
  return { stroke: colour('muted'), grid: line, ticks: line, font: '11px system-ui, sans-serif', ...more }
}

/** Columns for uPlot; `shown` has for each curve its name, colour and values by point. */
function columnsOf({ kind, series }) {
  const x = series[0]?.x ?? []
  const data = [x]
  const settings = [{}]
  const bands = []
  const shown = series.map(({ name, y }, i) => ({ name, y, colour: colour(`line-${(i % 6) + 1}`) }))
  if (kind === 'stacked') {
    let below = x.map(() => 0)
    const sums = series.map(({ y }) => {
      below = below.map((sum, i) => sum + (y[i] ?? 0))
      return below
    })
    // From the top of the stack down, so that each covers the lower part of the one above.
    for (let i = series.length - 1; i >= 0; i--) {
      data.push(sums[i])
      settings.push({
        stroke: shown[i].colour,
        fill: colour(`fill-${(i % 6) + 1}`),
        width: 1,
        points: { show: false },
      })
    }
    return { data, series: settings, bands, shown }
  }
  for (const [i, { y, low, high }] of series.entries()) {
    const few = y.length < 60
    if (kind === 'lines' && low) {
      bands.push({ series: [data.length + 1, data.length], fill: colour(`soft-${(i % 6) + 1}`) })
      for (const bound of [low, high]) {
        data.push(bound)
        settings.push({ stroke: 'transparent', width: 0, points: { show: false } })
      }
    }
    data.push(y)
    settings.push({
      stroke: shown[i].colour,
      width: 1.5,
      spanGaps: true,
      points: { show: kind === 'points' || few, size: kind === 'points' ? 7 : 4, fill: shown[i].colour },
    })
    if (kind === 'points' && low) {
      // Invisible, so that the axis has room for the intervals.
      for (const bound of [low, high]) {
        data.push(bound)
        settings.push({ stroke: 'transparent', width: 0, points: { show: false } })
      }
    }
  }
  return { data, series: settings, bands, shown }
}

function drawIntervals(chart, { series }) {
  const { ctx } = chart
  ctx.save()
  for (const [i, { x, low, high }] of series.entries()) {
    if (!low) continue
    ctx.strokeStyle = colour(`line-${(i % 6) + 1}`)
    ctx.lineWidth = devicePixelRatio
    for (let point = 0; point < x.length; point++) {
      if (low[point] === null || high[point] === null) continue
      const [left, top, bottom] = [
        chart.valToPos(x[point], 'x', true),
        chart.valToPos(high[point], 'y', true),
        chart.valToPos(low[point], 'y', true),
      ]
      const cap = 3 * devicePixelRatio
      ctx.beginPath()
      ctx.moveTo(left, top)
      ctx.lineTo(left, bottom)
      for (const end of [top, bottom]) {
        ctx.moveTo(left - cap, end)
        ctx.lineTo(left + cap, end)
      }
      ctx.stroke()
    }
  }
  ctx.restore()
}

/** Values under the cursor; the last ones where there is none. */
function showLegend({ plot, legend, shown }, index) {
  const { x, low, high } = plot.series[0] ?? { x: [] }
  const at = index ?? x.length - 1
  const where = x[at] === undefined ? '' : `step ${formatNumber(Math.round(x[at]))}`
  legend.replaceChildren(
    element('span.muted', {}, where),
    ...shown.map(({ name, y, colour: line }) => {
      const swatch = element('i.swatch', {})
      swatch.style.background = line
      const range =
        shown.length === 1 && low?.[at] != null
          ? ` (${formatNumber(low[at])} to ${formatNumber(high[at])})`
          : ''
      return element('span.entry', {}, swatch, `${name} `, element('b', {}, formatNumber(y[at])), range)
    }),
    plot.stepsAPoint > 1 && index === null
      ? element('span.muted', {}, `mean and range of ${plot.stepsAPoint} steps a point`)
      : '',
  )
}

function moveCursor(event, figure) {
  const item = drawn.find((one) => one.figure === figure)
  const x = item?.chart?.data[0] ?? []
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key]
  const ends = { Home: 0, End: x.length - 1 }[event.key]
  if (x.length === 0 || (step === undefined && ends === undefined)) return
  event.preventDefault()
  const now = item.chart.cursor.idx ?? (step > 0 ? -1 : x.length)
  const next = Math.max(0, Math.min(x.length - 1, ends ?? now + step))
  item.chart.setCursor({ left: item.chart.valToPos(x[next], 'x'), top: 0 })
}
