/**
 * GRPO steps on SmolLM2-135M with a KL to the reference and a cheap reward, every answer to its full length:
 * node bench/engine/grpo-step.ts bf16|f32 [repetitions] [prompts] [samples] [new tokens]
 *
 * Prints seconds of each step after one untimed, the peak of memory, and `engineShare`, the engine's part of the timed steps.
 */
import { loadModel } from '../../src/engine/index.ts'
import { createPolicy, type Rollout } from '../../src/rollouts/index.ts'
import { grpo } from '../../src/trainers/index.ts'
import { busyModel } from './busy-model.ts'
import { memory, modelPath, precisionArgument, print, repetitions, workload } from './workload.ts'

const precision = precisionArgument()
const steps = 1 + repetitions(3)
const [, , , , ...sizes] = process.argv
const { prompts, samples, newTokens, klCoefficient, learningRate } = workload.grpo
const [promptCount, sampleCount, tokens] = [prompts.length, samples, newTokens].map((usual, index) =>
  sizes[index] === undefined ? usual : Number(sizes[index]),
) as [number, number, number]

const baselineBytes = memory('VmRSS')
// Room for the activations of a whole step: one micro-batch, as TRL has it.
const base = await loadModel(modelPath, { precision, activationBytes: 1.5 * 2 ** 30 })
const { model, busySeconds, forwardTimed } = busyModel(await base.trainable({ full: true }))
const reference = {
  ...base,
  forward: (...given: Parameters<typeof base.forward>) => forwardTimed(() => base.forward(...given)),
}
const policy = createPolicy(model, { maxTokens: tokens })
/** Share of the letter e. */
const rollout: Rollout<string> = async ({ model, task, signal }) => {
  const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: task }] }]
  const { content } = await model.doGenerate({ prompt, abortSignal: signal })
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  return text.split('e').length / Math.max(1, text.length)
}

const seconds: number[] = []
const parts: Record<string, number>[] = []
let warmBusy = 0
for await (const report of grpo({
  policy,
  tasks: prompts.slice(0, promptCount).map((task, index) => ({ id: String(index), task })),
  tasksPerStep: promptCount,
  groupSize: sampleCount,
  rollout,
  reference,
  kl: { coefficient: klCoefficient },
  optimizer: { learningRate },
  steps,
})) {
  const expected = promptCount * sampleCount * tokens
  const drawn = report.metrics.length! * report.metrics.trajectories!
  if (Math.round(drawn) !== expected) throw new Error(`a step drew ${drawn} tokens, not ${expected}`)
  if (report.step === 0) warmBusy = busySeconds()
  else {
    seconds.push(report.seconds.step!)
    parts.push(report.seconds)
  }
}
const total = seconds.reduce((sum, one) => sum + one, 0)
print({
  tokens: promptCount * sampleCount * tokens,
  seconds,
  peakBytes: memory('VmHWM'),
  baselineBytes,
  engineShare: (busySeconds() - warmBusy) / total,
  parts,
})
