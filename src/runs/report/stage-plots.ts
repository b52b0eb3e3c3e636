import { type Curve, downSample } from './down-sample.ts'
import type { StageHistory, StepLine } from './history.ts'

/** Enough for a plot as wide as a screen, few enough for a page of many plots. */
const POINTS = 600

export interface Plot {
  title: string
  /** Lines share an axis; `stacked` ones lie on each other. */
  kind: 'lines' | 'points' | 'stacked'
  unit?: string
  /** Steps that a point stands for; 1 where all are shown. */
  stepsAPoint: number
  series: ({ name: string } & Curve)[]
}

/** Families of metrics that belong on one plot, in the order in which a reader wants them. */
const FAMILIES: [title: string, member: RegExp][] = [
  ['Reward', /^(reward|return|score|pass)/i],
  ['Loss', /^(loss|.*Loss)$/],
  ['KL', /(^|[^a-z])kl/i],
  ['Entropy', /entropy/i],
  ['Length', /length|truncated/i],
  ['Advantage', /advantage/i],
  ['Clipping', /clip/i],
  ['Gradient norm', /^gradientNorm$/],
  ['Learning rate', /^learningRate$/],
]

export interface StagePlots {
  /** Evaluation, metrics by family, the rest each alone, and times by part. */
  plots: Plot[]
  /** Metrics that were the same in all steps, which need no plot. */
  constants: Record<string, number>
}

export function stagePlots(stage: StageHistory): StagePlots {
  const { steps, timing } = stage
  const all = [...new Set(steps.flatMap(({ metrics }) => Object.keys(metrics)))].sort()
  const first = steps[0]?.metrics ?? {}
  const isConstant = (name: string) =>
    steps.length > 1 && steps.every(({ metrics }) => metrics[name] === first[name])
  const names = all.filter((name) => !isConstant(name))
  const constants = Object.fromEntries(all.filter(isConstant).map((name) => [name, first[name] as number]))
  const plots = evaluationPlots(steps)
  const placed = new Set<string>()
  const indexes = steps.map(({ step }) => step)
  const of = (name: string) => ({
    name,
    ...downSample(
      indexes,
      steps.map(({ metrics }) => metrics[name]),
      POINTS,
    ),
  })
  const stepsAPoint = Math.max(1, Math.ceil(steps.length / POINTS))
  for (const [title, member] of FAMILIES) {
    const members = names.filter((name) => !placed.has(name) && member.test(name))
    for (const name of members) placed.add(name)
    // On one axis the small of two scales would be flat.
    for (const group of byScale(members, steps))
      plots.push({
        title: group.length === members.length && members.length > 1 ? title : group.join(', '),
        kind: 'lines',
        stepsAPoint,
        series: group.map(of),
      })
  }
  for (const name of names)
    if (!placed.has(name)) plots.push({ title: name, kind: 'lines', stepsAPoint, series: [of(name)] })
  const parts = [...new Set([...timing.values()].flatMap(({ seconds }) => Object.keys(seconds)))]
  if (parts.length > 0)
    plots.push({
      title: 'Time a step',
      kind: 'stacked',
      unit: 's',
      stepsAPoint,
      series: timeSeries(stage, parts),
    })
  return { plots, constants }
}

/** What `evaluate` measured; `xLow` and `xHigh` are the interval of x. */
function evaluationPlots(steps: readonly StepLine[]): Plot[] {
  const measured = steps.filter((line) => line.evaluation)
  const names = [...new Set(measured.flatMap(({ evaluation }) => Object.keys(evaluation ?? {})))]
  const bounds = new Set(names.flatMap((name) => [`${name}Low`, `${name}High`]))
  const valuesOf = (name: string) => measured.map(({ evaluation }) => evaluation?.[name] ?? null)
  return names
    .filter((name) => !bounds.has(name))
    .map((name) => ({
      title: `${name} (evaluation)`,
      kind: 'points',
      stepsAPoint: 1,
      series: [
        {
          name,
          x: measured.map(({ step }) => step),
          y: valuesOf(name),
          ...(names.includes(`${name}Low`) &&
            names.includes(`${name}High`) && { low: valuesOf(`${name}Low`), high: valuesOf(`${name}High`) }),
        },
      ],
    }))
}

/** Groups of names whose largest magnitudes lie within a factor of 20 of the group's largest. */
function byScale(names: readonly string[], steps: readonly StepLine[]): string[][] {
  const magnitude = (name: string) =>
    steps.reduce((largest, { metrics }) => Math.max(largest, Math.abs(metrics[name] ?? 0)), 0)
  const sorted = names.map((name) => ({ name, size: magnitude(name) })).sort((a, b) => b.size - a.size)
  const groups: { size: number; names: string[] }[] = []
  for (const { name, size } of sorted) {
    const group = groups.find((one) => size === 0 || one.size <= 20 * size)
    if (group) group.names.push(name)
    else groups.push({ size, names: [name] })
  }
  return groups.map((group) => names.filter((name) => group.names.includes(name)))
}

/** Seconds by part, and what the whole step took beyond them. */
function timeSeries({ steps, timing }: StageHistory, parts: readonly string[]): Plot['series'] {
  const indexes = steps.map(({ step }) => step)
  const named = parts.filter((part) => part !== 'step')
  const rest = (seconds: Record<string, number> | undefined) =>
    seconds?.step === undefined
      ? undefined
      : Math.max(0, seconds.step - named.reduce((sum, part) => sum + (seconds[part] ?? 0), 0))
  const series = named.map((name) => ({
    name,
    ...downSample(
      indexes,
      indexes.map((step) => timing.get(step)?.seconds[name]),
      POINTS,
    ),
  }))
  const others = downSample(
    indexes,
    indexes.map((step) => rest(timing.get(step)?.seconds)),
    POINTS,
  )
  return [...series, { name: named.length > 0 ? 'other' : 'step', ...others }]
}
