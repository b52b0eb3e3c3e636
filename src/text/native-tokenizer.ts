import { native } from '../native/index.ts'

/** The binding of crates/node/src/tokenizer.rs. */
export interface NativeTokenizer {
  readonly vocabularySize: number
  readonly specialIds: number[]
  toJson(): string
  encode(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array
  encodeWithOffsets(text: string): { ids: Int32Array; offsets: Uint32Array }
  decode(ids: Int32Array, skipSpecial: boolean): string
  tokenToId(token: string): number | null
  idToToken(id: number): string | null
}

interface TokenizerBinding {
  NativeTokenizer: { fromJson(json: string): NativeTokenizer }
  trainByteLevelBpe(
    texts: string[],
    vocabularySize: number,
    minimumFrequency: number,
    specialTokens: string[],
  ): Promise<string>
}

export const binding: TokenizerBinding = native
