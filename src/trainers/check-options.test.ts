import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { checkOptions, having } from './check-options.ts'
import { optimizerSchema } from './optimizer.ts'
import { warningsSchema } from './warnings.ts'

const check = (given: object) =>
  checkOptions<object>(
    'sft',
    {
      model: having('optimStep', 'a trainable model').optional(),
      batchSize: z.int().optional(),
      optimizer: optimizerSchema.optional(),
      warnings: warningsSchema,
    } as object,
    given,
  )

describe('checkOptions', () => {
  it('refuses an unknown option with the nearest known one, nested ones too', () => {
    expect(() => check({ batchsize: 1 })).toThrow(
      'sft: unknown option "batchsize"; did you mean "batchSize"?',
    )
    expect(() => check({ optimizer: { learningRate: 1, warmUpSteps: 1 } })).toThrow(
      'unknown option "optimizer.warmUpSteps"; did you mean "warmupSteps"?',
    )
    expect(() => check({ optimizer: { learningrate: 1 } })).toThrow(
      'unknown option "optimizer.learningrate"; did you mean "learningRate"?',
    )
    expect(() => check({ warnings: { truncatd: 0.1 } })).toThrow(
      'unknown option "warnings.truncatd"; did you mean "truncated"?',
    )
    expect(() => check({ zebra: 1 })).toThrow('the options are: model, batchSize, optimizer, warnings')
  })

  it('names the option that is wrong', () => {
    expect(() => check({ batchSize: 1.5 })).toThrow(/^sft: batchSize: .*got 1.5$/)
    expect(() => check({ optimizer: { learningRate: -1 } })).toThrow(
      /^sft: optimizer.learningRate: .*>=0, got -1$/,
    )
    expect(() => check({ model: {} })).toThrow('sft: model: must be a trainable model')
    expect(() => check({ optimizer: { learningRate: 1, momentum: 0.9 } })).toThrow('for kind "muon"')
    expect(() => check(null as unknown as object)).toThrow('options must be an object, got null')
  })

  it('takes an option that is undefined as absent', () => {
    expect(() => check({ zebra: undefined, batchSize: 2 })).not.toThrow()
  })
})
