import type { StepSolution } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import type { ChatMessage } from '../text/index.ts'
import { encodeSteps, splitSteps, stepEnds } from './encode-steps.ts'
import type { MarkedTokens } from './marked-tokens.ts'
import { forwardAll } from './measure-loss.ts'
import { askedAt } from './process-reward.ts'

type Judge = Pick<Model, 'forward' | 'tokenizer'>

/** The probabilities of a process reward model that each step is right, a row a solution. Errors: as `encodeSteps`. */
export async function scoreSteps(
  model: Judge,
  solutions: readonly { prompt: readonly ChatMessage[]; steps: readonly string[] }[],
  options: { separator?: string } = {},
): Promise<number[][]> {
  return (await logitsOfSteps(model, solutions, options)).map((logits) => logits.map(sigmoid))
}

/** Share of steps of held-out solutions that the model judges as they are labelled, and how sure it is of them (mean -log p). */
export async function measureSteps(
  model: Judge,
  solutions: readonly StepSolution[],
  options: { separator?: string } = {},
): Promise<{ accuracy: number; loss: number }> {
  const logits = await logitsOfSteps(model, solutions, options)
  let [right, loss, steps] = [0, 0, 0]
  for (const [index, { labels }] of solutions.entries())
    for (const [step, label] of labels.entries()) {
      const surprise = (label ? -1 : 1) * logits[index]![step]!
      if (surprise < 0) right++
      loss += Math.max(surprise, 0) + Math.log1p(Math.exp(-Math.abs(surprise)))
      steps++
    }
  if (steps === 0) throw new RangeError('measureSteps: there are no steps to measure')
  return { accuracy: right / steps, loss: loss / steps }
}

export type CombineSteps = 'product' | 'minimum' | 'last' | 'mean'

/** A solution's worth from those of its steps: all right (`product`), the weakest, the last, or their mean. At least one step. */
export function combineSteps(probabilities: readonly number[], how: CombineSteps = 'product'): number {
  if (probabilities.length === 0) throw new RangeError('combineSteps: there are no steps')
  const ways = {
    product: () => probabilities.reduce((product, probability) => product * probability, 1),
    minimum: () => Math.min(...probabilities),
    last: () => probabilities.at(-1)!,
    mean: () => probabilities.reduce((sum, probability) => sum + probability, 0) / probabilities.length,
  }
  if (!Object.hasOwn(ways, how))
    throw new RangeError(`combineSteps: "${how}" is not one of ${Object.keys(ways).join(', ')}`)
  return ways[how]()
}

/**
 * The best of several answers to a prompt by their steps; the first of equals. An answer without text scores 0.
 *
 * @returns the answer's number and the scores of all
 */
export async function bestOfN(
  model: Judge,
  prompt: readonly ChatMessage[],
  answers: readonly string[],
  options: { separator?: string; combine?: CombineSteps } = {},
): Promise<{ best: number; scores: number[] }> {
  if (answers.length === 0) throw new RangeError('bestOfN: there are no answers')
  const steps = answers.map((answer) => splitSteps(answer, options.separator))
  const solutions = steps.flatMap((own) => (own.length > 0 ? [{ prompt, steps: own }] : []))
  const found = (await scoreSteps(model, solutions, options)).values()
  const scores = steps.map((own) => (own.length > 0 ? combineSteps(found.next().value!, options.combine) : 0))
  return { best: scores.indexOf(Math.max(...scores)), scores }
}

export interface StepRewardOptions {
  separator?: string
  /**
   * `difference`: each step earns what it adds to the probability (the first one its own), so that a trajectory earns its last
   * probability in all and gains nothing by more steps; `probability`: each step earns its own. Default `difference`.
   */
  form?: 'difference' | 'probability'
}

/**
 * Rewards of sampled answers by their steps, for step-level shaping: each at the last token of its step, 0 elsewhere. Aligned with
 * `tokens`; `.slice(1)` aligns it with a sequence's targets. Shapes: [T] a row.
 */
export async function stepRewards(
  model: Judge,
  rows: readonly Pick<MarkedTokens, 'tokens' | 'mask'>[],
  options: StepRewardOptions = {},
): Promise<Float64Array[]> {
  const { separator, form = 'difference' } = options
  const encoded = rows.map(({ tokens, mask }) => ({
    tokens,
    ends: stepEnds(model.tokenizer, tokens, mask, separator),
  }))
  const logits = await readLogits(model, encoded)
  return encoded.map(({ tokens, ends }, row) => {
    const rewards = new Float64Array(tokens.length)
    let before = 0
    for (const [step, end] of ends.entries()) {
      const probability = sigmoid(logits[row]![step]!)
      rewards[end] = form === 'difference' ? probability - before : probability
      before = probability
    }
    return rewards
  })
}

function logitsOfSteps(
  model: Judge,
  solutions: readonly { prompt: readonly ChatMessage[]; steps: readonly string[] }[],
  { separator }: { separator?: string },
): Promise<number[][]> {
  return readLogits(
    model,
    solutions.map((solution) => encodeSteps(model.tokenizer, solution, separator)),
  )
}

async function readLogits(
  model: Pick<Model, 'forward'>,
  rows: readonly { tokens: Int32Array; ends: readonly number[] }[],
): Promise<number[][]> {
  const sequences = rows.map(({ tokens, ends }) => askedAt(tokens, ends))
  const outputs = await forwardAll(model, sequences, { values: true })
  return rows.map(({ ends }, row) => ends.map((end) => outputs[row]!.values![end]!))
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit))
}
