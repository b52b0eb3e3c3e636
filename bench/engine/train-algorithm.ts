/**
 * One algorithm on the bench's task, from the model in a folder, until both so many seconds and so many samples are spent:
 * node bench/engine/train-algorithm.ts ppo|grpo|rloo|dpo|gspo-pairs|gdpo-contrast FOLDER SECONDS SAMPLES
 *
 * Seconds and samples count training alone, not the measurements. DPO draws all its samples of the starting model, before it trains: each pair
 * is a right and a wrong one of a word, and a step has as many answers as the others' steps. After "equal samples" it has taken as many steps
 * as they.
 */
import { loadModel } from '../../src/engine/index.ts'
import { collectGroups, createPolicy } from '../../src/rollouts/index.ts'
import { dpo, groupPreference, grpo, ppo, rloo, type StageReport } from '../../src/trainers/index.ts'
import { median } from '../measure.ts'
import { maxTokens, passRate, reverseRollout, trainedTasks } from './reverse-task.ts'
import { memory, print } from './workload.ts'

const [algorithm, folder, secondsGiven, samplesGiven] = process.argv.slice(2)
const [seconds, samples] = [Number(secondsGiven), Number(samplesGiven)]
if (!(seconds > 0 && samples > 0) || folder === undefined) {
  console.error('usage: node bench/engine/train-algorithm.ts ALGORITHM FOLDER SECONDS SAMPLES')
  process.exit(2)
}
const [groupSize, tasksPerStep] = [8, 4]
const optimizer = { learningRate: 0.00003, beta2: 0.99 }
const baselineBytes = memory('VmRSS')
const base = await loadModel(folder, { precision: 'f32' })
const model = await base.trainable({ full: true })
const policy = createPolicy(model, { maxTokens })
const common = {
  policy,
  tasks: trainedTasks,
  tasksPerStep,
  groupSize,
  rollout: reverseRollout,
  reference: base,
  optimizer,
  steps: 1_000_000,
  seed: 1,
  record: 'none' as const,
  warnings: false as const,
}
let spent = { seconds: 0, samples: 0 }

async function* offlineDpo(): AsyncGenerator<StageReport> {
  const began = performance.now()
  const drawn = Math.ceil(samples / trainedTasks.length)
  const rollouts = {
    policy,
    tasks: trainedTasks,
    rollout: reverseRollout,
    groupSize: drawn,
    seed: 1,
    step: 0,
  }
  const { groups } = await collectGroups(rollouts)
  spent = { seconds: (performance.now() - began) / 1000, samples: trainedTasks.length * drawn }
  const pairs = groups.flatMap(({ task, trajectories }) => {
    const answers = (reward: number) =>
      trajectories.filter((one) => one.reward === reward).map((one) => one.calls[0]!.text)
    const [right, wrong] = [answers(1), answers(0)]
    const say = (content: string) => [{ role: 'assistant' as const, content }]
    const prompt = [{ role: 'user' as const, content: task }]
    const count = Math.min(right.length, wrong.length)
    return Array.from({ length: count }, (_, i) => ({
      prompt,
      chosen: say(right[i]!),
      rejected: say(wrong[i]!),
    }))
  })
  if (pairs.length === 0)
    throw new Error('dpo: no group of the starting model has a right and a wrong answer')
  const examples = Math.min((groupSize * tasksPerStep) / 2, pairs.length)
  yield* dpo({ model, reference: base, pairs, optimizer, batch: { examples }, steps: common.steps, seed: 1 })
}

const kl = { coefficient: 0.02 }
const trainers: Record<
  string,
  { held: number; start: () => Promise<AsyncGenerator<StageReport>> | AsyncGenerator<StageReport> }
> = {
  // Policy, reference and critic; the reward is a rule here, where a reward model would be a fourth.
  ppo: {
    held: 3,
    start: async () => ppo({ ...common, kl, critic: await base.trainable({ full: true }, 'value') }),
  },
  grpo: { held: 2, start: () => grpo({ ...common, kl }) },
  rloo: { held: 2, start: () => rloo({ ...common, kl }) },
  dpo: { held: 2, start: offlineDpo },
  'gspo-pairs': { held: 2, start: () => groupPreference({ ...common, algorithm: 'gspo-pairs' }) },
  'gdpo-contrast': { held: 2, start: () => groupPreference({ ...common, algorithm: 'gdpo-contrast' }) },
}
const trainer = trainers[algorithm ?? '']
if (!trainer) throw new Error(`no algorithm "${algorithm}"; there are ${Object.keys(trainers).join(', ')}`)

const stepSeconds: number[] = []
const after: { samples?: number; time?: number; stepsToSamples?: number; stepsInTime?: number } = {}
for await (const report of await trainer.start()) {
  stepSeconds.push(report.seconds.step!)
  spent.seconds += report.seconds.step!
  spent.samples += report.metrics.trajectories ?? 0
  const enough =
    algorithm === 'dpo' ? stepSeconds.length * groupSize * tasksPerStep >= samples : spent.samples >= samples
  if (enough && after.samples === undefined) {
    after.samples = await passRate(model)
    after.stepsToSamples = stepSeconds.length
  }
  if (spent.seconds >= seconds && after.time === undefined) {
    after.time = await passRate(model)
    after.stepsInTime = stepSeconds.length
  }
  if (after.samples !== undefined && after.time !== undefined) break
}
print({
  algorithm,
  modelsHeld: trainer.held,
  peakBytes: memory('VmHWM'),
  baselineBytes,
  secondsAStep: median(stepSeconds),
  passAfterTime: after.time,
  stepsInTime: after.stepsInTime,
  passAfterSamples: after.samples,
  stepsToSamples: after.stepsToSamples,
})
