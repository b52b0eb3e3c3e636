import { choiceOption, optionalNumberOption } from './options.ts'
import type { TokenTotals } from './types.ts'

const aggregations = ['token-mean', 'token-sum', 'sequence-mean-token-mean', 'constant'] as const
export type Aggregation = (typeof aggregations)[number]

/** The two options with which a loss says how its tokens add up. */
export function aggregationOptions(fallback: Aggregation, constant: number | null = null) {
  return {
    aggregation: choiceOption(
      aggregations,
      fallback,
      'token-mean: over all trained tokens of the batch; token-sum: no divisor; sequence-mean-token-mean: mean in each ' +
        'sequence, then over sequences; constant: sum / (sequences * constant)',
    ),
    constant: optionalNumberOption(
      '(0, inf)',
      constant,
      'divisor of `constant`, say the longest completion, in tokens',
    ),
  }
}

/**
 * The weight of each trained token, as a function of how many tokens its sequence trains:
 * 1/N, 1, 1/(S*n) or 1/(S*constant), with N tokens and S sequences in the whole batch.
 */
export function tokenWeight(
  id: string,
  options: { aggregation: Aggregation; constant: number | null },
  totals: TokenTotals,
): (tokensOfSequence: number) => number {
  const { aggregation, constant } = options
  if (aggregation === 'constant') {
    if (constant === null)
      throw new RangeError(`${id}: aggregation "constant" needs the option constant in (0, inf)`)
    return () => 1 / (totals.sequences * constant)
  }
  if (aggregation === 'token-mean') return () => 1 / totals.tokens
  if (aggregation === 'token-sum') return () => 1
  return (tokens) => 1 / (totals.sequences * tokens)
}
