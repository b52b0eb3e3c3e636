/**
 * Six algorithms on one task from one model: models held, peak memory, seconds a step, and pass@1 on held-out words after equal time and
 * after equal samples. Three letters are to be written backwards by a model of 3.4 million parameters that saw it done right once in three.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeMachine } from './machine.ts'
import { measure } from './measure.ts'

const algorithms = ['ppo', 'grpo', 'rloo', 'dpo', 'gspo-pairs', 'gdpo-contrast']

interface AlgorithmRow {
  algorithm: string
  modelsHeld: number
  /** Of the whole process, and of it without what Node and the program's code take. */
  peakMegabytes: number
  ofModelsMegabytes: number
  secondsAStep: number
  passAfterTime: number
  stepsInTime: number
  passAfterSamples: number
  stepsToSamples: number
}

/** Each algorithm in a process of its own, one after another. */
export async function benchAlgorithms(quick: boolean, say: (line: string) => void) {
  const [seconds, samples] = quick ? [2, 128] : [30, 8192]
  const folder = await mkdtemp(join(tmpdir(), 'whetstone-algorithms-'))
  const script = (name: string, ...rest: (string | number)[]) => [
    process.execPath,
    `bench/engine/${name}.ts`,
    ...rest.map(String),
  ]
  try {
    say('algorithms: the model that all of them start from')
    const start = (await measure(script('start-algorithms', folder), 1)) as { pass: number }
    const rows: AlgorithmRow[] = []
    for (const algorithm of algorithms) {
      say(`algorithms: ${algorithm}, ${seconds} s and ${samples} samples`)
      const found = await measure(script('train-algorithm', algorithm, folder, seconds, samples), 1)
      const { peakBytes, baselineBytes, ...row } = found as unknown as AlgorithmRow & {
        peakBytes: number
        baselineBytes: number
      }
      rows.push({
        ...row,
        peakMegabytes: Math.round(peakBytes / 1e6),
        ofModelsMegabytes: Math.round((peakBytes - baselineBytes) / 1e6),
      })
    }
    return { machine: describeMachine(), seconds, samples, passBefore: start.pass, rows }
  } finally {
    await rm(folder, { recursive: true })
  }
}
