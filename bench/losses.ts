/**
 * What the losses cost: a batch of 512 sequences of 1,024 tokens through each id, in float32 as the engine hands it over.
 *
 *   node bench/losses.ts [ENGINE_TOKENS_PER_SECOND]
 *
 * Prints the median of 5 runs in milliseconds. Given the engine's speed forward and backward, also the share of the engine's time for
 * the same tokens, and fails where it reaches 3 %.
 */
import { gae, gdpoDecoupled } from '../src/advantages/index.ts'
import type { TokenOutputs } from '../src/engine/contract.ts'
import {
  type AlgorithmId,
  algorithm,
  batchLoss,
  klLoss,
  type PureLoss,
  preferencePairs,
  registry,
} from '../src/losses/index.ts'

const sequences = 512
const tokens = 1024
const groupSize = 8

const noise = (() => {
  let state = 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647 - 0.5
  }
})()
const rows = (scale: number, offset: number) =>
  Array.from({ length: sequences }, () =>
    Float32Array.from({ length: tokens }, () => offset + scale * noise()),
  )
const near = (given: Float32Array[]) => given.map((row) => row.map((value) => value + 0.2 * noise()))

const logprobs = rows(3, -2)
const values = rows(1, 0)
const entropy = rows(1, 2)
const batch = {
  sequences: logprobs.map(() => ({ input: new Int32Array(tokens), target: new Int32Array(tokens) })),
  masks: logprobs.map((_, s) => Uint8Array.from({ length: tokens }, (_, t) => (t < 128 + (s % 64) ? 0 : 1))),
  advantages: logprobs.map(() => noise()),
  oldLogprobs: near(logprobs),
  referenceLogprobs: near(logprobs),
  samplerLogprobs: near(logprobs),
  oldValues: near(values),
  returns: near(values),
  scores: logprobs.map(() => noise()),
}
const labels = batch.masks.map((mask) => Int8Array.from(mask, (m, t) => (m === 1 && t % 16 === 0 ? 1 : -100)))
const outputs: TokenOutputs[] = logprobs.map((row, s) => ({
  logprobs: row,
  values: values[s]!,
  entropy: entropy[s]!,
}))

/** Examples of `size` sequences each, with everything a loss may ask for. */
function examplesOf(size: number) {
  return Array.from({ length: sequences / size }, (_, e) => {
    const part = <T>(array: T[]) => array.slice(e * size, (e + 1) * size)
    return {
      sequences: part(batch.sequences),
      masks: part(batch.masks),
      advantages: part(batch.advantages),
      oldLogprobs: part(batch.oldLogprobs),
      referenceLogprobs: part(batch.referenceLogprobs),
      oldValues: part(batch.oldValues),
      returns: part(batch.returns),
      scores: part(batch.scores),
      labels: part(labels),
    }
  })
}

type Everything = ReturnType<typeof examplesOf>[number]

function lossRun(loss: PureLoss<Everything>, size = 1): () => void {
  const examples = examplesOf(size)
  const given = examples.map((_, e) => outputs.slice(e * size, (e + 1) * size))
  return () => batchLoss(loss, examples, given)
}

const totals = {
  sequences,
  tokens: batch.masks.reduce((sum, mask) => sum + mask.reduce((count, m) => count + m, 0), 0),
}
const pairs = { pairs: sequences / 2 }
const groups = {
  groups: sequences / groupSize,
  pairs: examplesOf(groupSize).reduce((sum, { scores }) => sum + preferencePairs(scores).length, 0),
}
const labelled = {
  labelledTokens: labels.reduce((sum, row) => sum + row.filter((label) => label === 1).length, 0),
}
const kl = { klCoefficient: 0.01 }
const weigh =
  (id: 'is-token-truncate' | 'is-token-mask' | 'is-sequence-truncate' | 'is-sequence-mask') => () => {
    algorithm(id).weigh({}, batch)
  }

const runs: Record<AlgorithmId, () => void> = {
  sft: lossRun(algorithm('sft').build({}, totals)),
  mlm: lossRun(algorithm('mlm').build({}, totals)),
  dpo: lossRun(algorithm('dpo').build({}, pairs), 2),
  ipo: lossRun(algorithm('ipo').build({}, pairs), 2),
  'reward-bradley-terry': lossRun(algorithm('reward-bradley-terry').build({}, pairs), 2),
  'process-reward': lossRun(algorithm('process-reward').build({}, labelled)),
  ppo: lossRun(algorithm('ppo').build({ valueCoefficient: 0.5, entropyCoefficient: 0.01 }, totals)),
  grpo: lossRun(algorithm('grpo').build(kl, totals)),
  'dr-grpo': lossRun(algorithm('dr-grpo').build(kl, totals)),
  dapo: lossRun(algorithm('dapo').build({}, totals)),
  cispo: lossRun(algorithm('cispo').build({}, totals)),
  rloo: lossRun(algorithm('rloo').build({ form: 'sequence-ratio' }, totals)),
  reinforce: lossRun(algorithm('reinforce').build({}, totals)),
  'reinforce-plus-plus': lossRun(algorithm('reinforce-plus-plus').build(kl, totals)),
  'gspo-sequence': lossRun(algorithm('gspo-sequence').build({}, totals)),
  'gspo-pairs': lossRun(algorithm('gspo-pairs').build({}, groups), groupSize),
  'gdpo-contrast': lossRun(algorithm('gdpo-contrast').build({}, { groups: groups.groups }), groupSize),
  'gdpo-listwise': lossRun(algorithm('gdpo-listwise').build({}, { groups: groups.groups }), groupSize),
  'gdpo-decoupled': () => {
    const prompts = batch.scores.map((_, i) => Math.floor(i / groupSize))
    gdpoDecoupled(
      {},
      batch.scores.map((score) => [score, score * score]),
      [1, 1],
      prompts,
    )
  },
  gae: () => {
    const trajectories = batch.masks.map((mask, s) => {
      const rewards = new Float32Array(tokens)
      rewards[tokens - 1] = batch.scores[s]!
      return { mask, rewards, values: batch.oldValues[s]! }
    })
    gae({}, trajectories)
  },
  'kl-k1': lossRun(klLoss('k1', totals)),
  'kl-k2': lossRun(klLoss('k2', totals)),
  'kl-k3': lossRun(klLoss('k3', totals)),
  'is-token-truncate': weigh('is-token-truncate'),
  'is-token-mask': weigh('is-token-mask'),
  'is-sequence-truncate': weigh('is-sequence-truncate'),
  'is-sequence-mask': weigh('is-sequence-mask'),
}

function medianMilliseconds(run: () => void): number {
  run()
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
  return times.sort((a, b) => a - b)[2]!
}

const tokensPerSecond = process.argv[2] === undefined ? null : Number(process.argv[2])
if (tokensPerSecond !== null && !(tokensPerSecond > 0)) {
  console.error('usage: node bench/losses.ts [ENGINE_TOKENS_PER_SECOND], a number above 0')
  process.exit(2)
}
console.log(`${sequences} sequences of ${tokens} tokens, median of 5`)
let slowest = 0
for (const id of Object.keys(registry) as AlgorithmId[]) {
  const milliseconds = medianMilliseconds(runs[id])
  const share =
    tokensPerSecond === null ? null : (milliseconds / 1000) * (tokensPerSecond / (sequences * tokens))
  slowest = Math.max(slowest, share ?? 0)
  const percent = share === null ? '' : `${(100 * share).toFixed(3)} %`.padStart(11)
  console.log(`${id.padEnd(24)}${`${milliseconds.toFixed(1)} ms`.padStart(10)}${percent}`)
}
process.exit(slowest < 0.03 ? 0 : 1)
