import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { TrainableModel } from '../../engine/index.ts'
import { openRun, type Run, type RunOptions } from '../index.ts'
import { toyModel, toyPretrain, toyReinforce } from './toy-training.ts'

export const toyOptions: RunOptions = { name: 'toy', seed: 7, checkpointEvery: { steps: 2 } }

/** Where a test keeps its run, and what it does there. */
export interface ToyRuns {
  /** A folder of the test's own, removed after it. */
  readonly parent: string
  /** The run's, in it; not there before the run. */
  readonly directory: string
  /** Opens the run with the toy's options and these, and closes it after `use`, however that ends. */
  withRun<T>(more: Partial<RunOptions>, use: (run: Run) => Promise<T>): Promise<T>
  /** The lines of a file of the run. */
  lines(file: string): Promise<string[]>
  /** The digest of a run that nothing happened to. */
  untouchedDigest(): Promise<string>
}

/** To be called once in a file of tests: gives each test a place for its run. */
export function toyRuns(): ToyRuns {
  let parent = ''
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'whetstone-run-'))
  })
  afterEach(() => rm(parent, { recursive: true }))
  const directory = () => join(parent, 'run')
  return {
    get parent() {
      return parent
    },
    get directory() {
      return directory()
    },
    async withRun(more, use) {
      const run = await openRun(directory(), { ...toyOptions, ...more })
      try {
        return await use(run)
      } finally {
        await run.close()
      }
    },
    async lines(file) {
      return (await readFile(join(directory(), file), 'utf8')).split('\n').slice(0, -1)
    },
    async untouchedDigest() {
      const run = await openRun(join(parent, 'untouched'), toyOptions)
      const { digest } = await finish(run)
      await run.close()
      return digest
    },
  }
}

/** Two stages; leaves the second one after `until` steps of it. */
export async function train(
  run: Run,
  until = Number.POSITIVE_INFINITY,
): Promise<{ model: TrainableModel; steps: string[] }> {
  const model = await toyModel()
  const steps: string[] = []
  for await (const { stage, step } of toyPretrain(model, run, 5)) steps.push(`${stage} ${step}`)
  for await (const { stage, step } of toyReinforce(model, run, 7)) {
    steps.push(`${stage} ${step}`)
    if (step + 1 >= until) break
  }
  return { model, steps }
}

/** Both stages to the run's end. */
export async function finish(run: Run): Promise<{ steps: string[]; digest: string }> {
  const { steps } = await train(run)
  return { steps, digest: await run.finish() }
}
