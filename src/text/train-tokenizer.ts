import { checkArray, checkObject, checkText, shown } from './check-arguments.ts'
import { loadTokenizer } from './load-tokenizer.ts'
import { binding } from './native-tokenizer.ts'
import { messageOf, TextError } from './text-error.ts'
import type { Tokenizer } from './tokenizer.ts'

/** Four times the largest vocabulary published; the trainer sets aside room for as many tokens as are asked for. */
const MOST_TOKENS = 2 ** 20

export interface TokenizerTraining {
  /** Tokens wanted, special ones and the 256 bytes included, at most 1,048,576; fewer come out where the texts have fewer merges. */
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
  checkObject('the training', training)
  const { vocabularySize, minimumFrequency = 2, specialTokens = [], ...parts } = training
  checkArray('specialTokens', specialTokens)
  specialTokens.forEach((token, index) => {
    checkText(`specialTokens[${index}]`, token)
  })
  const smallest = 256 + specialTokens.length
  if (!Number.isInteger(vocabularySize) || vocabularySize < smallest || vocabularySize > MOST_TOKENS)
    throw new TextError(
      `vocabularySize is ${vocabularySize}; it must be an integer from ${smallest} (256 bytes and ${specialTokens.length} special tokens) to ${MOST_TOKENS}`,
    )
  if (!Number.isInteger(minimumFrequency) || minimumFrequency < 0 || minimumFrequency > 0x7fff_ffff)
    throw new TextError(`minimumFrequency is ${minimumFrequency}; it must be an integer from 0`)
  if (new Set(specialTokens).size !== specialTokens.length || specialTokens.includes(''))
    throw new TextError('specialTokens must be different and not empty')
  const list = textsOf(texts)
  let json: string
  try {
    json = await binding.trainByteLevelBpe(list, vocabularySize, minimumFrequency, [...specialTokens])
  } catch (error) {
    throw new TextError(messageOf(error))
  }
  return loadTokenizer({ tokenizerJson: json, ...parts })
}

function textsOf(texts: Iterable<string>): string[] {
  if (typeof texts === 'string' || typeof texts?.[Symbol.iterator] !== 'function')
    throw new TextError(`the texts are ${shown(texts)}; they must be an array or another iterable of texts`)
  return Array.from(texts, (text, index) => {
    checkText(`text ${index}`, text)
    return text
  })
}
