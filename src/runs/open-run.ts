import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { makeFolder, sync, writeFileAtomically } from '../files/index.ts'
import { messageOf } from '../rollouts/index.ts'
import type { StageReport } from '../trainers/stage.ts'
import { beginRun, checkOptions, refuseForeign, writeConfiguration } from './begin-run.ts'
import { checkReport } from './check-report.ts'
import {
  listCheckpoints,
  loadModels,
  problemOf,
  removeCheckpoint,
  removePartial,
  superfluous,
  writeCheckpoint,
} from './checkpoints.ts'
import { type Configuration, decisiveParts } from './configuration.ts'
import { changeProblem, type Finished, missingProblem } from './digest-problem.ts'
import { hashFile } from './hash-file.ts'
import { openHistory } from './history.ts'
import { checkLayout, pathProblem } from './layout.ts'
import { type Lock, takeLock } from './lock.ts'
import { checkName } from './names.ts'
import { parseJson } from './parse-json.ts'
import { newestGood, removeRolloutsBeyond, restore } from './restore.ts'
import type { Run, RunOptions } from './run.ts'
import { digestedFiles, digestOf } from './run-digest.ts'
import { DamagedRun, isInterruption, RunError, RunInterrupted, RunOver, writing } from './run-error.ts'
import { sortedByName, toJsonLine } from './to-json.ts'
import { keepTokenTexts } from './token-texts.ts'

/**
 * A run in a directory. A process that is killed anywhere leaves a directory from which a resume ends with the same weights,
 * metrics and rollouts as a run that was never killed.
 */
export async function openRun(path: string, options: RunOptions): Promise<Run> {
  const directory = resolve(path)
  checkOptions(options)
  await checkLayout(directory, { for: 'writing' })
  await refuseForeign(directory)
  await makeFolder(directory).catch((error) => {
    throw pathProblem(directory, error)
  })
  const lock = await takeLock(directory)
  try {
    return await runInDirectory(directory, options, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function runInDirectory(directory: string, options: RunOptions, lock: Lock): Promise<Run> {
  const { seed, signal, onWarning = () => {} } = options
  const configuration: Configuration = await beginRun(directory, options)
  const checkpoints = join(directory, 'checkpoints')
  await makeFolder(checkpoints)
  await removePartial(checkpoints)
  const metrics = await openHistory(join(directory, 'metrics.jsonl'))
  const timing = await openHistory(join(directory, 'timing.jsonl'))
  const stages = new Set<string>()
  let current = { stage: '', steps: 0 }
  let written = { stage: '', steps: 0 }
  let lastSave = performance.now()
  let cut = false
  let over = false
  /** A program that was left behind at its first error may still be at work when another goes on with the directory. */
  const refuseOver = () => {
    if (over) throw new RunOver(directory)
  }
  const refuseStopped = () => {
    refuseOver()
    if (signal?.aborted) throw new RunInterrupted(directory)
  }
  const stillGood = () =>
    written.steps > 0
      ? `The checkpoint of ${written.stage} after ${written.steps} steps is good`
      : 'No checkpoint was written yet'

  /** Once something new is to be written, what lies beyond the restored checkpoint is of no run any more. */
  const cutHistory = async () => {
    if (cut) return
    const changed = await changeProblem(directory)
    await rm(join(directory, 'finished.json'), { force: true })
    if (await metrics.hasMore())
      for (const one of (await listCheckpoints(checkpoints)).checkpoints)
        if (one.metrics.bytes > metrics.position) await removeCheckpoint(checkpoints, one)
    await removeRolloutsBeyond(directory, metrics.position)
    await metrics.cut()
    await timing.cut()
    const problem = (await missingProblem(directory)) ?? changed
    if (problem !== undefined) onWarning(problem)
    cut = true
  }

  return {
    directory,
    configuration,
    seed,
    ...(signal && { signal }),

    async resume(stage, state) {
      refuseStopped()
      checkName('stage', stage)
      for (const model of Object.keys(state.models)) checkName('model', model)
      if (stages.has(stage))
        throw new RunError(`two stages of this run are called ${stage}; give each a name of its own`)
      stages.add(stage)
      await writing('tokens.json', stillGood(), () => keepTokenTexts(directory, state.models))
      const found = cut ? undefined : await newestGood(directory, stage, metrics.position, onWarning)
      current = { stage, steps: found?.steps ?? 0 }
      if (!found) return 0
      await restore(found, state)
      metrics.position = found.metrics.bytes
      timing.position = found.timingBytes
      written = { ...current }
      return found.steps
    },

    async record(report) {
      const { stage, step } = report
      refuseOver()
      checkReport(report)
      if (stage !== current.stage || step !== current.steps)
        throw new RunError(
          `${stage} reported step ${step} where step ${current.steps} of ${current.stage} was due; stages of one run go one after another`,
        )
      await writing(`step ${step} of ${stage}`, stillGood(), async () => {
        await cutHistory()
        const rollouts = report.rollouts?.map((rollout) => `${toJsonLine(rollout)}\n`).join('') ?? ''
        if (rollouts !== '')
          await writeFileAtomically(join(directory, 'rollouts', stage, `${step}.jsonl`), rollouts)
        await metrics.append(metricsLine(report, rollouts))
        await timing.append(
          JSON.stringify({ stage, step, seconds: report.seconds, rss: process.memoryUsage.rss() }),
        )
      })
      current.steps++
      options.onReport?.(report)
    },

    due(stepsDone) {
      const { steps, seconds } = options.checkpointEvery ?? { seconds: 60 }
      return (
        (steps !== undefined && stepsDone % steps === 0) ||
        (seconds !== undefined && performance.now() - lastSave >= seconds * 1000)
      )
    },

    async checkpoint(stage, state, stepsDone, best) {
      refuseOver()
      if (stage !== current.stage || stepsDone !== current.steps)
        throw new RunError(
          `a checkpoint of ${stage} after ${stepsDone} steps, but ${current.steps} of ${current.stage} are recorded`,
        )
      if (written.stage !== stage || written.steps !== stepsDone) {
        await writing(`the checkpoint of ${stage} after ${stepsDone} steps`, stillGood(), async () => {
          await lock.check()
          await metrics.sync()
          await timing.sync()
          await sync(directory)
          await writeCheckpoint(checkpoints, state.models, state.save?.() ?? null, {
            stage,
            steps: stepsDone,
            best,
            metrics: await hashFile(join(directory, 'metrics.jsonl'), metrics.position),
            timingBytes: timing.position,
            configuration: decisiveParts(configuration),
          })
        })
        written = { stage, steps: stepsDone }
        lastSave = performance.now()
        for (const one of superfluous((await listCheckpoints(checkpoints)).checkpoints, stage))
          await removeCheckpoint(checkpoints, one)
      }
      refuseStopped()
    },

    async once<T>(name: string, compute: () => Promise<T>) {
      refuseStopped()
      checkName('result', name)
      const file = join(directory, 'results', `${name}.json`)
      const kept = await readFile(file, 'utf8').catch(ifThere)
      if (kept !== undefined) return parseJson(z.custom<T>(), kept, file)
      let text: string
      try {
        text = resultText(name, await compute())
        refuseStopped()
      } catch (error) {
        throw isInterruption(error) ? new RunInterrupted(directory, name) : error
      }
      await writing(`the result ${name}`, stillGood(), () => writeFileAtomically(file, text))
      return JSON.parse(text) as T
    },

    async dataset(name, sha256) {
      refuseOver()
      const before = configuration.datasets[name]
      if (before === sha256) return
      if (before !== undefined)
        throw new RunError(
          `the examples "${name}" are not those that the run began with (SHA-256 ${sha256}, then ${before}); begin a new run`,
        )
      configuration.datasets[name] = sha256
      await writing('config.json', stillGood(), () => writeConfiguration(directory, configuration))
    },

    async restoreBest(stage, models) {
      const all = (await listCheckpoints(checkpoints)).checkpoints
      const best = all.findLast(
        (one) => one.stage === stage && one.best && one.metrics.bytes <= metrics.position,
      )
      if (!best) return undefined
      const problem = await problemOf(best)
      if (problem !== undefined)
        throw new DamagedRun(`the best checkpoint of ${stage}, ${best.directory}, is damaged: ${problem}`)
      await loadModels(best, models)
      return best.steps
    },

    async finish() {
      refuseStopped()
      // A stage that is left writes a checkpoint of where it was left.
      const left = current.steps > 0 && written.stage === current.stage && written.steps === current.steps
      if (current.stage !== '' && !left)
        throw new RunError(
          `the run was to end while ${current.stage} was under way, after ${current.steps} steps; await the loop over its steps`,
        )
      await cutHistory()
      const files = await digestedFiles(directory)
      const digest = digestOf(files)
      const finished: Finished = {
        digest,
        files: Object.fromEntries(files),
        configuration: decisiveParts(configuration),
      }
      await writeFileAtomically(join(directory, 'finished.json'), JSON.stringify(finished))
      return digest
    },

    async close() {
      over = true
      await metrics.close()
      await timing.close()
      await lock.release()
    },
  }
}

function metricsLine(
  { stage, step, metrics, evaluation, warnings, rollouts }: StageReport,
  recorded: string,
): string {
  return toJsonLine({
    stage,
    step,
    metrics: sortedByName(metrics),
    ...(evaluation && { evaluation: sortedByName(evaluation) }),
    ...(warnings.length > 0 && { warnings }),
    ...(rollouts?.length && {
      rollouts: rollouts.length,
      rolloutsSha256: createHash('sha256').update(recorded).digest('hex'),
    }),
  })
}

function resultText(name: string, value: unknown): string {
  const refused = (reason: string, cause?: unknown) =>
    new RunError(`the result ${name} cannot be kept as JSON: ${reason}`, { cause })
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw refused(messageOf(error).split('\n')[0] as string, error)
  }
  if (text === undefined) throw refused(`it is ${value === undefined ? value : `a ${typeof value}`}`)
  return text
}

function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
