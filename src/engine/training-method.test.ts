import { describe, expect, it } from 'vitest'
import { tinyModel } from './testing/tiny-model.ts'
import { nativeMethod } from './training-method.ts'

describe('trainable refuses', () => {
  it.each([
    [undefined, undefined, 'the method is undefined; it must be { full: true } or'],
    [{}, undefined, 'the method is {}'],
    [{ full: false }, undefined, 'the method is { full: false }'],
    [{ full: true, lora: { rank: 1 } }, undefined, 'the method is { full: true, lora: [Object] }'],
    [{ lora: 4 }, undefined, 'the method is { lora: 4 }'],
    [{ full: true }, 'reward', "the head is 'reward'; it must be 'value'"],
    [{ lora: { rank: 4, dropout: 0.1 } }, undefined, "lora: no setting is named 'dropout'; there are rank,"],
  ])('%o with head %o', (method, head, message) => {
    expect(() => nativeMethod(method as never, head as never, 64)).toThrow(`trainable: ${message}`)
  })

  it.each([
    [{ rank: 65 }, 'lora.rank is 65; it must be an integer from 1 to 64'],
    [{ rank: 1.5 }, 'lora.rank is 1.5'],
    [{ rank: 4, alpha: 0 }, 'lora.alpha is 0; it must be a number above 0'],
    [{ rank: 4, alpha: Number.NaN }, 'lora.alpha is NaN'],
    [{ rank: 4, seed: -1 }, 'lora.seed is -1'],
    [{ rank: 4, targetModules: [] }, 'lora.targetModules is []'],
    [{ rank: 4, targetModules: 'q_proj' }, "lora.targetModules is 'q_proj'"],
  ])('lora of %o', (lora, message) => {
    expect(() => nativeMethod({ lora } as never, undefined, 64)).toThrow(message)
  })

  it('as a rejection, never at the call', async () => {
    const model = await tinyModel('llama-gqa-tied', 'f32')
    await expect(model.trainable({} as never)).rejects.toThrow('the method is {}')
  })
})
