import { numberOption, type OptionsFor, readOptions } from '../losses/options.ts'

export const linearLengthPenaltyOptions = {
  freeLength: numberOption('[0, inf)', 0, 'tokens that cost nothing'),
  perToken: numberOption('[0, inf)', 1e-3, 'what each token beyond them costs'),
  largest: numberOption('(0, inf)', 1, 'the penalty falls no lower than minus this'),
}

/** Linear length penalty `-min(perToken * max(length - freeLength, 0), largest)`. Length in tokens. */
export function linearLengthPenalty(
  given: OptionsFor<typeof linearLengthPenaltyOptions>,
  length: number,
): number {
  const { freeLength, perToken, largest } = readOptions(
    'linearLengthPenalty',
    linearLengthPenaltyOptions,
    given,
  )
  const over = checkedLength('linearLengthPenalty', length) - freeLength
  return over > 0 ? -Math.min(perToken * over, largest) : 0
}

export const softOverlongOptions = {
  maxLength: numberOption('(0, inf)', 20480, 'longest response that is wanted, in tokens'),
  cacheLength: numberOption(
    '[0, inf)',
    4096,
    'the penalty grows over the last so many tokens before it; 0: a hard limit',
  ),
  factor: numberOption('(0, inf)', 1, 'scale of the penalty'),
}

/**
 * Soft overlong penalty (arXiv 2503.14476, Eq. 13): 0 up to max - cache, falling linearly to -1 at max, -1 beyond; times factor.
 * verl goes on falling beyond max and refuses a cache of 0; TRL and we follow the paper.
 */
export function softOverlongPenalty(given: OptionsFor<typeof softOverlongOptions>, length: number): number {
  const { maxLength, cacheLength, factor } = readOptions('softOverlongPenalty', softOverlongOptions, given)
  if (cacheLength > maxLength) {
    throw new RangeError(
      `softOverlongPenalty: cacheLength must be at most maxLength ${maxLength}, got ${cacheLength}`,
    )
  }
  const over = checkedLength('softOverlongPenalty', length) - (maxLength - cacheLength)
  if (over <= 0) return 0
  return -factor * (length > maxLength ? 1 : over / cacheLength)
}

function checkedLength(name: string, length: number): number {
  if (Number.isFinite(length) && length >= 0) return length
  throw new RangeError(`${name}: length must be a number of tokens of at least 0, got ${length}`)
}
