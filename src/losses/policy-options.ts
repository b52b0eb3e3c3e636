import { numberOption, optionalNumberOption } from './options.ts'

/** The clip range of the ratio: [1 - clipLow, 1 + clipHigh]. */
export function clipOptions(clipLow: number, clipHigh: number) {
  return {
    clipLow: numberOption(
      '[0, inf)',
      clipLow,
      'the ratio is clipped below at 1 - clipLow; 1 or more: no lower bound',
    ),
    clipHigh: numberOption('[0, inf)', clipHigh, 'the ratio is clipped above at 1 + clipHigh'),
  }
}

export const dualClipOption = optionalNumberOption(
  '(1, inf)',
  null,
  'on tokens of negative advantage the objective stays above dualClip * A; null: off',
)

export const klCoefficientOption = numberOption(
  '[0, inf)',
  0,
  'weight of the KL to the reference in the loss; above 0 the reference log-probabilities are needed',
)
