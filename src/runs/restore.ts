import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { StageState } from '../trainers/stage.ts'
import { type Checkpoint, listCheckpoints, loadModels, problemOf, setAside } from './checkpoints.ts'
import { hashFile } from './hash-file.ts'
import { pathProblem } from './layout.ts'
import { filesBelow, namesIn } from './listings.ts'
import { DamagedRun } from './run-error.ts'

/** The newest checkpoint of a stage whose files are what was written; damaged ones are put aside, and said. */
export async function newestGood(
  directory: string,
  stage: string,
  position: number,
  onWarning: (text: string) => void,
): Promise<Checkpoint | undefined> {
  const { checkpoints, damaged } = await listCheckpoints(join(directory, 'checkpoints'))
  const warn = async (one: { directory: string; problem: string }) =>
    onWarning(
      `the checkpoint ${one.directory} is damaged: ${one.problem}. It is now ${await setAside(one)}; the run goes on from the one before, or begins the stage again where there is none`,
    )
  for (const one of damaged) await warn(one)
  const own = checkpoints.filter((one) => one.stage === stage && one.metrics.bytes >= position)
  for (const one of own.toReversed()) {
    const problem = await problemOf(one)
    if (problem !== undefined) {
      await warn({ directory: one.directory, problem })
      continue
    }
    const history = await hashFile(join(directory, 'metrics.jsonl'), one.metrics.bytes)
    if (history.sha256 === one.metrics.sha256) {
      await refuseChangedRollouts(directory, position, one.metrics.bytes)
      return one
    }
    const reason =
      history.bytes < one.metrics.bytes
        ? `it has ${history.bytes} bytes where the checkpoint tells of ${one.metrics.bytes}`
        : `its first ${one.metrics.bytes} bytes differ`
    throw new DamagedRun(
      `${join(directory, 'metrics.jsonl')} is not what the run wrote (${reason}). Bring the file back, or begin a new run`,
    )
  }
  return undefined
}

export async function restore(checkpoint: Checkpoint, state: StageState): Promise<void> {
  await loadModels(checkpoint, state.models)
  await state.load?.(JSON.parse(await readFile(join(checkpoint.directory, 'state.json'), 'utf8')))
}

/** The rollouts that some bytes of the metrics tell of are those that were written, or are gone, which is said elsewhere. */
async function refuseChangedRollouts(directory: string, from: number, to: number): Promise<void> {
  for (const { stage, step, rolloutsSha256 } of await stepsWithin(directory, from, to)) {
    if (rolloutsSha256 === undefined) continue
    const file = join(directory, 'rollouts', stage, `${step}.jsonl`)
    const found = await hashFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw pathProblem(file, error)
    })
    if (found && found.sha256 !== rolloutsSha256)
      throw new DamagedRun(
        `${file} is not what the run wrote. Bring the file back, or remove it: the run then goes on without it, to another digest`,
      )
  }
}

interface RecordedStep {
  stage: string
  step: number
  /** Of the step's file of rollouts; absent where there are none, and of runs of earlier versions. */
  rolloutsSha256?: string
}

async function stepsWithin(directory: string, from: number, to: number): Promise<RecordedStep[]> {
  const bytes = await readFile(join(directory, 'metrics.jsonl'))
  const lines = bytes.subarray(from, to).toString('utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as RecordedStep)
}

/** Removes the rollouts of all steps that are not in the first `position` bytes of the metrics. */
export async function removeRolloutsBeyond(directory: string, position: number): Promise<void> {
  const rollouts = join(directory, 'rollouts')
  if ((await namesIn(rollouts)).length === 0) return
  const steps = await stepsWithin(directory, 0, position)
  const recorded = new Set(steps.map(({ stage, step }) => `${stage}/${step}.jsonl`))
  for (const file of await filesBelow(rollouts)) if (!recorded.has(file)) await rm(join(rollouts, file))
}
