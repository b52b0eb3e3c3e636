import {
  checkArray,
  checkOptionalText,
  checkSwitch,
  checkText,
  checkToken,
  tokenIds,
} from './check-arguments.ts'
import { type IncrementalDecoder, incrementalDecoder } from './incremental-decoder.ts'
import { told } from './native-errors.ts'
import type { NativeTokenizer } from './native-tokenizer.ts'
import { TextError } from './text-error.ts'

export interface EncodeOptions {
  /** Let the post-processor add its tokens, such as the beginning of text. Default false. */
  addSpecial?: boolean
  /** Read the text of a special token (`<|im_end|>`) as that token. Default true; false for text from strangers. */
  parseSpecial?: boolean
}

export interface DecodeOptions {
  /** Leave special tokens out of the text. Default false. */
  skipSpecial?: boolean
}

/** Text to token ids and back, with what a checkpoint says about its special tokens and chat template. */
export interface Tokenizer {
  /** One more than the highest id in use; a model's vocabulary may be padded beyond it. */
  readonly vocabularySize: number
  readonly bosToken: string | undefined
  readonly eosToken: string | undefined
  readonly bosTokenId: number | undefined
  readonly eosTokenId: number | undefined
  /** Ids marked special, ascending. */
  readonly specialTokenIds: readonly number[]
  /** Ids that the checkpoint names as ends of generation: the end of text and any others, without duplicates. */
  readonly stopTokenIds: readonly number[]
  /** A Jinja template of messages, where the checkpoint has one. */
  readonly chatTemplate: string | undefined
  /** Whether a text's first word is encoded as if a space preceded it, so that texts encoded apart do not join. */
  readonly addsPrefixSpace: boolean
  encode(text: string, options?: EncodeOptions): Int32Array
  /** Ids with the range of UTF-16 units each came from. Shapes: [T], [2 T]. */
  encodeWithOffsets(text: string): { ids: Int32Array; offsets: Uint32Array }
  /** Text of ids; an id of the vocabulary's padding has none, incomplete UTF-8 becomes U+FFFD. */
  decode(tokens: ArrayLike<number>, options?: DecodeOptions): string
  decoder(options?: DecodeOptions): IncrementalDecoder
  tokenToId(token: string): number | undefined
  idToToken(id: number): string | undefined
  /** The text of a `tokenizer.json`. */
  toJson(): string
}

export interface TokenizerParts {
  bosToken?: string | undefined
  eosToken?: string | undefined
  chatTemplate?: string | undefined
  stopTokenIds?: readonly number[] | undefined
}

/** A `Tokenizer` over the native one. Errors: a part of the wrong kind, a beginning- or end-of-text token that the vocabulary lacks. */
export function createTokenizer(tokenizer: NativeTokenizer, parts: TokenizerParts): Tokenizer {
  const { bosToken, eosToken, chatTemplate, stopTokenIds = [] } = parts
  for (const [name, value] of Object.entries({ bosToken, eosToken, chatTemplate }))
    checkOptionalText(name, value)
  checkArray('stopTokenIds', stopTokenIds)
  const idOf = (role: string, token: string | undefined) => {
    if (token === undefined) return undefined
    const id = tokenizer.tokenToId(token)
    if (id === null)
      throw new TextError(`the ${role} ${JSON.stringify(token)} is not in the tokenizer's vocabulary`)
    return id
  }
  const bosTokenId = idOf('beginning-of-text token', bosToken)
  const eosTokenId = idOf('end-of-text token', eosToken)
  const decode = (tokens: ArrayLike<number>, options: DecodeOptions = {}) => {
    const { skipSpecial = false } = options
    checkSwitch('skipSpecial', skipSpecial)
    return told(() => tokenizer.decode(tokenIds(tokens), skipSpecial))
  }
  return {
    vocabularySize: tokenizer.vocabularySize,
    bosToken,
    eosToken,
    bosTokenId,
    eosTokenId,
    specialTokenIds: tokenizer.specialIds,
    stopTokenIds: [
      ...new Set([...(eosTokenId === undefined ? [] : [eosTokenId]), ...stopTokenIds.map(checkToken)]),
    ],
    chatTemplate,
    addsPrefixSpace: addsPrefixSpace(tokenizer),
    encode(text, options = {}) {
      checkText('the text', text)
      const { addSpecial = false, parseSpecial = true } = options
      checkSwitch('addSpecial', addSpecial)
      checkSwitch('parseSpecial', parseSpecial)
      return told(() => tokenizer.encode(text, addSpecial, parseSpecial))
    },
    encodeWithOffsets(text) {
      checkText('the text', text)
      return told(() => tokenizer.encodeWithOffsets(text))
    },
    decode,
    decoder: (options = {}) => incrementalDecoder((tokens) => decode(tokens, options)),
    tokenToId(token) {
      checkText('the token', token)
      return tokenizer.tokenToId(token) ?? undefined
    },
    idToToken: (id) => tokenizer.idToToken(checkToken(id)) ?? undefined,
    toJson: () => told(() => tokenizer.toJson()),
  }
}

function addsPrefixSpace(tokenizer: NativeTokenizer): boolean {
  const alone = tokenizer.encode('a', false, false)
  const first = alone.length > 0 ? tokenizer.idToToken(alone[0] as number) : null
  return first !== null && /^[▁Ġ ]/.test(first)
}
