import { describe, expect, it } from 'vitest'
import { loadTokenizer, missingTokenizer } from '../text/index.ts'
import { refuseOtherTokens } from './same-tokens.ts'
import { byteModel, byteTokenizer } from './testing/byte-model.ts'

const model = await byteModel()
const json = (await byteTokenizer()).toJson()
const other = (tokenizerJson: string, vocabularySize = 260) => ({
  info: { ...model.info, vocabularySize },
  tokenizer: loadTokenizer({ tokenizerJson }),
})
const ask = (read: object) =>
  refuseOtherTokens('ppo', { name: 'policy', model }, { name: 'critic', model: read })

describe('two models of which one is asked about tokens of the other', () => {
  it('are refused where they have as many tokens but not the same, with the first that differs', () => {
    const swapped = json.replace('"a":', '"swap":').replace('"b":', '"a":').replace('"swap":', '"b":')
    expect(() => ask(other(swapped))).toThrow(
      'ppo: token 68 is "a" to the policy and "b" to the critic; they must share a vocabulary: take a critic with the tokenizer of the policy',
    )
    expect(() =>
      ask(other(json.replace('<|mask|>', '<|hidden|>').replace('<|mask|>', '<|hidden|>'))),
    ).toThrow('is "<|mask|>" to the policy and "<|hidden|>" to the critic')
  })

  it('are refused where the one that is asked has fewer tokens, and taken where it has padding', () => {
    expect(() => ask(other(json, 259))).toThrow('the policy has 260 tokens, the critic 259')
    expect(() => ask(other(json, 320))).not.toThrow()
  })

  it('are taken where their tokenizers were loaded apart, and where one has none', () => {
    expect(() => ask(other(json))).not.toThrow()
    expect(() => ask({ tokenizer: missingTokenizer('a checkpoint') })).not.toThrow()
    expect(() => ask({})).not.toThrow()
  })
})
