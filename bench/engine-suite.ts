import { type Figure, figures } from './figures.ts'
import { describeMachine } from './machine.ts'
import { type Effort, limitOf, type Measurement, measure, measurePeaks, summarise } from './measure.ts'

export interface Row {
  figure: string
  unit: Figure['unit']
  ours: number
  /** The peer and the way it was fastest. */
  peer: string
  theirs: number
  ratio: number
  reach: number | null
  shareOfLimit: number | null
  peerShareOfLimit: number | null
  shareReach: number | null
}

/**
 * Runs every figure `rounds` times, ours and the peers' in turn, each in a process of its own and nothing beside it.
 * `say` hears what is being run.
 */
export async function runEngineSuite(
  { quick, rounds }: Effort,
  only: string | null,
  say: (line: string) => void,
) {
  const repetitions = quick ? 2 : 5
  const chosen = figures.filter(({ name }) => only === null || name.includes(only))
  if (chosen.length === 0)
    throw new Error(`no figure's name contains '${only}': ${figures.map((f) => f.name).join('; ')}`)
  say('peaks of the machine')
  const peaks = await measurePeaks()
  const rows: Row[] = []
  for (const figure of chosen) {
    const commands = new Map([['ours', figure.ours]])
    for (const { peer, commands: ways } of figure.comparisons)
      for (const [way, command] of Object.entries(ways)) commands.set(`${peer} ${way}`, command)
    const measured = new Map<string, Measurement[]>([...commands.keys()].map((name) => [name, []]))
    for (let round = 1; round <= rounds; round++)
      for (const [name, command] of commands) {
        say(`${figure.name}: ${name}, round ${round} of ${rounds}`)
        measured.get(name)!.push(await measure(command, repetitions))
      }
    const limit = figure.limit === undefined ? null : limitOf(peaks, figure.limit.of)
    rows.push(...compare(figure, measured, limit))
  }
  return { machine: describeMachine(), peaks, rounds, repetitions, rows }
}

/** One row a comparison, against the way in which the peer did best. */
function compare(figure: Figure, measured: ReadonlyMap<string, Measurement[]>, limit: number | null): Row[] {
  const value = (name: string) => summarise(measured.get(name)!, figure.limit?.of === 'bandwidth')
  const lessIsBetter = figure.unit === 'bytes'
  const share = (speed: number) => (limit === null ? null : (speed * figure.limit!.perToken) / limit)
  const ours = value('ours')
  return figure.comparisons.map(({ peer, commands, reach }) => {
    const ways = Object.keys(commands).map((way) => ({
      name: `${peer} ${way}`,
      value: value(`${peer} ${way}`),
    }))
    const best = ways.reduce((a, b) => (b.value < a.value === lessIsBetter ? b : a))
    return {
      figure: figure.name,
      unit: figure.unit,
      ours,
      peer: best.name,
      theirs: best.value,
      ratio: lessIsBetter ? best.value / ours : ours / best.value,
      reach: reach ?? null,
      shareOfLimit: share(ours),
      peerShareOfLimit: share(best.value),
      shareReach: figure.limit?.reach ?? null,
    }
  })
}
