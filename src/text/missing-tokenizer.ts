import { TextError } from './text-error.ts'
import type { Tokenizer } from './tokenizer.ts'

/**
 * Stands in for the tokenizer of a checkpoint that has none; its vocabulary is empty. Token ids work, anything about text is an error
 * saying so, and which file is missing where it should be one.
 */
export function missingTokenizer(checkpoint: string, file?: string): Tokenizer {
  const mend = file === undefined ? '' : '; put that file of the model there to use it with text'
  const refuse = (): never => {
    throw new TextError(
      `${checkpoint} has no ${file ?? 'tokenizer'}, so it can be used with token ids only${mend}`,
    )
  }
  return {
    vocabularySize: 0,
    bosToken: undefined,
    eosToken: undefined,
    bosTokenId: undefined,
    eosTokenId: undefined,
    specialTokenIds: [],
    stopTokenIds: [],
    chatTemplate: undefined,
    addsPrefixSpace: false,
    encode: refuse,
    encodeWithOffsets: refuse,
    decode: (tokens) => (tokens.length === 0 ? '' : refuse()),
    decoder: refuse,
    tokenToId: refuse,
    idToToken: refuse,
    toJson: refuse,
  }
}
