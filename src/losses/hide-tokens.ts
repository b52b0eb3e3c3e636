import { numberOption, type OptionsFor, readOptions } from './options.ts'

export const hideTokensOptions = {
  rate: numberOption('(0, 1]', 0.15, 'share of the tokens that are hidden'),
  maskShare: numberOption('[0, 1]', 0.8, 'share of the hidden tokens that become the mask token'),
  randomShare: numberOption(
    '[0, 1]',
    0.1,
    'share of the hidden tokens that become a random token; the rest stay',
  ),
}

/**
 * Hides tokens from a masked language model (arXiv 1810.04805).
 *
 * @param tokens [T]
 * @param hideable [T], 0 on tokens that are never hidden (specials, padding)
 * @param random uniform in [0, 1), seeded by the caller
 * @returns the model's input, [T], and the loss mask, [T], 1 on hidden tokens
 */
export function hideTokens(
  tokens: Int32Array,
  hideable: ArrayLike<number>,
  vocabulary: { size: number; maskToken: number },
  random: () => number,
  given: OptionsFor<typeof hideTokensOptions> = {},
): { input: Int32Array; mask: Uint8Array } {
  const { rate, maskShare, randomShare } = readOptions('hideTokens', hideTokensOptions, given)
  if (maskShare + randomShare > 1) {
    throw new RangeError(
      `hideTokens: maskShare + randomShare must be at most 1, got ${maskShare + randomShare}`,
    )
  }
  if (hideable.length !== tokens.length) {
    throw new Error(`hideTokens: ${tokens.length} tokens, but hideable has ${hideable.length} entries`)
  }
  const input = Int32Array.from(tokens)
  const mask = new Uint8Array(tokens.length)
  for (let t = 0; t < tokens.length; t++) {
    if (hideable[t] === 0 || random() >= rate) continue
    mask[t] = 1
    const fate = random()
    if (fate < maskShare) input[t] = vocabulary.maskToken
    else if (fate < maskShare + randomShare) input[t] = Math.floor(random() * vocabulary.size)
  }
  return { input, mask }
}
