import type { TrainableModel } from '../engine/index.ts'

/** What a step gives: numbers that two runs of one configuration share, and those that they do not. */
export interface StepOutcome {
  metrics: Record<string, number>
  /** Seconds by part of the step, no part within another; differ from run to run. */
  seconds?: Record<string, number>
  warnings?: string[]
  /** What a reader may want to look at, one JSON object each. */
  rollouts?: readonly object[]
}

export interface StageReport extends StepOutcome {
  stage: string
  /** From 0. */
  step: number
  /** Steps planned. */
  steps: number
  seconds: Record<string, number>
  warnings: string[]
  /** What `evaluate` measured after this step, where it was due. */
  evaluation?: Record<string, number>
}

/** What outlives a step, and must be as it was for the next one to come out the same. */
export interface StageState {
  /** Trained models by name: weights and optimiser. */
  models: Readonly<Record<string, TrainableModel>>
  /** Everything else, as JSON: coefficients, multipliers, what is replayed. */
  save?(): unknown
  load?(saved: unknown): void | Promise<void>
}

/** Where a stage's history goes; `whetstone/runs` keeps one in a directory. */
export interface StageRun {
  readonly seed: number
  /** Stops the stage after the step in hand. */
  readonly signal?: AbortSignal
  /** Restores the newest good checkpoint of a stage and gives the steps done by then; 0 without one. */
  resume(stage: string, state: StageState): Promise<number>
  /** Adds a step to the history. */
  record(report: StageReport): Promise<void>
  /** Whether a checkpoint is due after so many steps. */
  due(stepsDone: number): boolean
  /** Saves all that `resume` needs. A `best` one is kept beside the newest. */
  checkpoint(stage: string, state: StageState, stepsDone: number, best: boolean): Promise<void>
  /** Computes a piece of JSON once in a run, and gives it again to a run that goes on. Absent where nothing is kept. */
  once?<T>(name: string, compute: () => Promise<T>): Promise<T>
}

export interface Evaluation {
  /** Steps between measurements; the last step is measured too. */
  every: number
  measure(): Promise<Record<string, number>>
  /** The metric by which the best checkpoint is kept. */
  best?: { metric: string; goal: 'maximum' | 'minimum' }
  /** Stop after so many measurements in a row without a better one. Needs `best`. */
  patience?: number
}

export interface Stage {
  /** Names the stage's checkpoints; unique within a run. */
  name: string
  steps: number
  state: StageState
  /** Runs step `index`. All that is random in it follows from the run's seed and the index. */
  step(index: number): Promise<StepOutcome>
  evaluate?: Evaluation
  /** Hears what was measured, once it is known to be finite numbers. */
  afterEvaluation?(measured: Record<string, number>): void
  run?: StageRun
  /** Lets go of what the stage holds, however it ends. */
  close?(): Promise<void>
}

interface Progress {
  best?: number
  withoutBetter: number
  stopped: boolean
}

/**
 * The loop of every trainer: resume, step, measure, record, checkpoint. Leaving the loop, an error in its body and the run's
 * signal all leave a checkpoint from which the stage goes on; a step that fails leaves the checkpoint before it.
 */
export async function* runStage(stage: Stage): AsyncGenerator<StageReport, void, void> {
  const models = Object.values(stage.state.models)
  try {
    refuseTrained(stage.name, models)
    for (const model of models) trainedBy.set(model, stage.name)
    try {
      yield* stepsOf(stage)
    } finally {
      for (const model of models) trainedBy.delete(model)
    }
  } finally {
    await stage.close?.()
  }
}

/** The stages under way, by the models that they train. */
const trainedBy = new WeakMap<TrainableModel, string>()

/** Two loops on one model would take each other's gradients. */
function refuseTrained(name: string, models: readonly TrainableModel[]): void {
  for (const model of models) {
    const other = trainedBy.get(model)
    if (other !== undefined)
      throw new Error(
        `${name}: its model is being trained by ${other} already; end that loop before another begins, or give each a model of its own`,
      )
  }
}

async function* stepsOf(stage: Stage): AsyncGenerator<StageReport, void, void> {
  const { name, steps, run } = stage
  checkStage(stage)
  const progress: Progress = { withoutBetter: 0, stopped: false }
  const state = withProgress(stage.state, progress)
  // What another stage's optimiser gathered says nothing about this one's loss.
  for (const model of Object.values(state.models)) await model.resetOptimizer()
  const first = (await run?.resume(name, state)) ?? 0
  let done = first
  let saved = first
  let whole = true
  const save = async (best: boolean) => {
    await run?.checkpoint(name, state, done, best)
    saved = done
  }
  try {
    while (done < steps && !progress.stopped && !run?.signal?.aborted) {
      const began = performance.now()
      whole = false
      const outcome = await stage.step(done)
      refuseUnfinite(name, done, outcome.metrics)
      const report: StageReport = { stage: name, step: done, steps, warnings: [], ...outcome, seconds: {} }
      done++
      const better = await measure(stage, done, report, progress)
      report.seconds = { ...outcome.seconds, step: (performance.now() - began) / 1000 }
      await run?.record(report)
      whole = true
      if (better || progress.stopped || done === steps || run?.due(done)) await save(better)
      yield report
    }
  } finally {
    if (whole && saved < done) await save(false)
  }
}

/** Evaluates where it is due; says whether this is the best so far. */
async function measure(
  stage: Stage,
  done: number,
  report: StageReport,
  progress: Progress,
): Promise<boolean> {
  const { evaluate, steps } = stage
  if (!evaluate || (done % evaluate.every !== 0 && done !== steps)) return false
  report.evaluation = measured(stage.name, done - 1, await evaluate.measure())
  stage.afterEvaluation?.(report.evaluation)
  if (!evaluate.best) return false
  const { metric, goal } = evaluate.best
  const value = report.evaluation[metric]
  if (value === undefined)
    throw new Error(`${stage.name}: evaluate.best is "${metric}", which is not among what was measured`)
  const better =
    progress.best === undefined || (goal === 'maximum' ? value > progress.best : value < progress.best)
  if (better) progress.best = value
  progress.withoutBetter = better ? 0 : progress.withoutBetter + 1
  progress.stopped = evaluate.patience !== undefined && progress.withoutBetter >= evaluate.patience
  return better
}

/** @throws Error where what `measure` gave, which may come from anywhere, is no record of finite numbers */
function measured(name: string, step: number, given: unknown): Record<string, number> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Error(
      `${name}, step ${step}: evaluate.measure must give an object of numbers, got ${String(given)}`,
    )
  const measurements = given as Record<string, number>
  for (const [metric, value] of Object.entries(measurements))
    if (!Number.isFinite(value))
      throw new Error(
        `${name}, step ${step}: evaluate.measure gave ${value} for ${metric}; it must be finite`,
      )
  return measurements
}

function withProgress(state: StageState, progress: Progress): StageState {
  return {
    models: state.models,
    save: () => ({ progress: { ...progress }, stage: state.save?.() ?? null }),
    async load(saved) {
      const { progress: before, stage } = saved as { progress: Progress; stage: unknown }
      Object.assign(progress, before)
      if (stage !== null) await state.load?.(stage)
    },
  }
}

function checkStage({ name, steps, evaluate }: Stage): void {
  if (!Number.isInteger(steps) || steps < 1)
    throw new RangeError(`${name}: steps is ${steps}; it must be an integer from 1`)
  if (evaluate && (!Number.isInteger(evaluate.every) || evaluate.every < 1))
    throw new RangeError(`${name}: evaluate.every is ${evaluate.every}; it must be an integer from 1`)
  if (evaluate?.patience !== undefined && !evaluate.best)
    throw new RangeError(`${name}: evaluate.patience needs evaluate.best, the metric to wait for`)
}

function refuseUnfinite(name: string, step: number, metrics: Record<string, number>): void {
  for (const [metric, value] of Object.entries(metrics))
    if (!Number.isFinite(value)) throw new Error(`${name}, step ${step}: ${metric} is ${value}`)
}
