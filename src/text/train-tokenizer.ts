import { loadTokenizer } from './load-tokenizer.ts'
import { binding } from './native-tokenizer.ts'
import { messageOf, TextError } from './text-error.ts'
import type { Tokenizer } from './tokenizer.ts'

export interface TokenizerTraining {
  /** Tokens wanted, special ones and the 256 bytes included; fewer come out where the texts have fewer merges. */
  vocabularySize: number
  /** A pair is merged only where it occurs this often. Default 2. */
  minimumFrequency?: number
  /** They get the lowest ids, in this order. */
  specialTokens?: readonly string[]
  /** One of `specialTokens`. */
  bosToken?: string
  /** One of `specialTokens`. */
  eosToken?: string
  chatTemplate?: string
}

/**
 * Trains a byte-level BPE (GPT-2's: words split by its pattern, any text representable) on `texts`. The same texts give the same
 * tokenizer. Errors: a vocabulary too small for the bytes and special tokens, a special token twice or empty.
 */
export async function trainTokenizer(
  texts: Iterable<string>,
  training: TokenizerTraining,
): Promise<Tokenizer> {
  const { vocabularySize, minimumFrequency = 2, specialTokens = [], ...parts } = training
  const smallest = 256 + specialTokens.length
  if (!Number.isInteger(vocabularySize) || vocabularySize < smallest || vocabularySize > 0x7fff_ffff)
    throw new TextError(
      `vocabularySize is ${vocabularySize}; it must be an integer from ${smallest} (256 bytes and ${specialTokens.length} special tokens)`,
    )
  if (!Number.isInteger(minimumFrequency) || minimumFrequency < 0 || minimumFrequency > 0x7fff_ffff)
    throw new TextError(`minimumFrequency is ${minimumFrequency}; it must be an integer from 0`)
  if (new Set(specialTokens).size !== specialTokens.length || specialTokens.includes(''))
    throw new TextError('specialTokens must be different and not empty')
  let json: string
  try {
    json = await binding.trainByteLevelBpe([...texts], vocabularySize, minimumFrequency, [...specialTokens])
  } catch (error) {
    throw new TextError(messageOf(error))
  }
  return loadTokenizer({ tokenizerJson: json, ...parts })
}
