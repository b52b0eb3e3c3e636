/** GRPO on SmolLM2-135M against TRL: seconds a step, peak memory, and the engine's share of our step. Reaches: 8 x, half, 0.9. */
import type { Command } from './figures.ts'
import { describeMachine } from './machine.ts'
import { type Effort, type Measurement, measure, median } from './measure.ts'

const commands: Record<string, Command> = {
  whetstone: [process.execPath, 'bench/engine/grpo-step.ts', 'bf16', 'REPETITIONS'],
  'TRL autocast': ['bench/.peers/python/bin/python', 'bench/peers/grpo_step.py', 'autocast', 'REPETITIONS'],
  'TRL pure bf16': ['bench/.peers/python/bin/python', 'bench/peers/grpo_step.py', 'pure', 'REPETITIONS'],
}
/** Prompts, samples and new tokens of a quick round. */
const quickSizes = ['2', '2', '8']

interface GrpoRow {
  side: string
  secondsAStep: number
  tokensPerSecond: number
  peakBytes: number
  /** Ours only. */
  engineShare?: number
  /** How many times as long, and as much memory, as ours. */
  timesOurs: number
  memoryTimesOurs: number
}

/** Each side `rounds` times in turn, in processes of their own; medians of steps, the smallest peak of memory. */
export async function benchGrpo({ quick, rounds }: Effort, say: (line: string) => void) {
  const repetitions = quick ? 1 : 2
  const measured = new Map(
    Object.keys(commands).map((side) => [side, [] as (Measurement & { engineShare?: number })[]]),
  )
  for (let round = 1; round <= rounds; round++)
    for (const [side, command] of Object.entries(commands)) {
      say(`grpo: ${side}, round ${round} of ${rounds}`)
      measured.get(side)!.push(await measure(quick ? [...command, ...quickSizes] : command, repetitions))
    }
  const summaries = [...measured].map(([side, all]) => {
    const shares = all.flatMap(({ engineShare }) => engineShare ?? [])
    return {
      side,
      secondsAStep: median(all.flatMap(({ seconds }) => seconds!)),
      tokens: all[0]!.tokens!,
      peakBytes: Math.min(...all.map(({ peakBytes }) => peakBytes!)),
      ...(shares.length > 0 && { engineShare: median(shares) }),
    }
  })
  const ours = summaries[0]!
  const rows = summaries.map(
    ({ tokens, ...summary }): GrpoRow => ({
      ...summary,
      tokensPerSecond: tokens / summary.secondsAStep,
      timesOurs: summary.secondsAStep / ours.secondsAStep,
      memoryTimesOurs: summary.peakBytes / ours.peakBytes,
    }),
  )
  return { machine: describeMachine(), rounds, repetitions, rows }
}
