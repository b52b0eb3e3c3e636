import type { KlEstimator } from './kl-estimator.ts'
import { klK1 } from './kl-k1.ts'
import { klK2 } from './kl-k2.ts'
import { klK3, klK3StraightThrough } from './kl-k3.ts'
import { choiceOption } from './options.ts'

export const klEstimators = { k1: klK1, k2: klK2, k3: klK3, 'k3+': klK3StraightThrough } satisfies Record<
  string,
  KlEstimator
>
export type KlEstimatorName = keyof typeof klEstimators

/** The estimator of a KL term inside a loss. */
export function klInLossOption(fallback: 'k2' | 'k3' | 'k3+') {
  return choiceOption(
    ['k2', 'k3', 'k3+'] as const,
    fallback,
    'estimator of the KL to the reference inside the loss',
    {
      k1: 'k1 has zero expected gradient in a loss; put it in the reward, or take k2 (reverse KL) or k3 (forward KL)',
    },
  )
}
