import type { ForwardOptions, Model, Sequence, TokenOutputs } from '../engine/index.ts'
import type { MaskedExample } from '../losses/index.ts'
import { inBatches } from './batches.ts'

/** Tokens that go through a model at once when nothing is trained: enough to fill it, little enough to hold. */
const tokensAtOnce = 8192

/** What a model says of any number of sequences, in their order. */
export async function forwardAll(
  model: Pick<Model, 'forward'>,
  sequences: readonly Sequence[],
  options: ForwardOptions = {},
): Promise<TokenOutputs[]> {
  const outputs: TokenOutputs[] = []
  for (const batch of inBatches(sequences, ({ input }) => input.length, { tokens: tokensAtOnce }))
    outputs.push(...(await model.forward(batch, options)))
  return outputs
}

/**
 * How well a model foretells tokens that it does not train on: `loss`, the mean of -log p over the tokens that the masks mark,
 * in nats, and `perplexity`, its exponential.
 *
 * @throws RangeError when no token is marked
 */
export async function measureLoss(
  model: Pick<Model, 'forward'>,
  examples: readonly MaskedExample[],
): Promise<{ loss: number; perplexity: number }> {
  const masks = examples.flatMap(({ masks }) => masks)
  const outputs = await forwardAll(
    model,
    examples.flatMap(({ sequences }) => sequences),
  )
  let [sum, tokens] = [0, 0]
  for (const [index, { logprobs }] of outputs.entries())
    for (let t = 0; t < logprobs.length; t++) {
      if (masks[index]?.[t] !== 1) continue
      sum -= logprobs[t]!
      tokens++
    }
  if (tokens === 0)
    throw new RangeError('measureLoss: no token is marked in any example, so there is no loss')
  return { loss: sum / tokens, perplexity: Math.exp(sum / tokens) }
}
