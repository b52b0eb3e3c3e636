import { expect, it } from 'vitest'
import { trainingSequences } from './training-sequences.ts'

it('are one a segment, with drawn tokens asked for alone, each aligned with what is said of it', () => {
  const segment = {
    tokens: Int32Array.of(7, 8, 9, 5, 6, 9),
    mask: Uint8Array.of(0, 0, 1, 0, 0, 1),
    logprobs: Float32Array.of(0, 0, -1, 0, 0, -2),
    versions: Int32Array.of(-1, -1, 3, -1, -1, 4),
    temperature: 0.5,
  }
  expect(trainingSequences({ segments: [segment, segment] })).toEqual(
    Array(2).fill({
      input: Int32Array.of(7, 8, 9, 5, 6),
      target: Int32Array.of(-1, 9, -1, -1, 9),
      mask: Uint8Array.of(0, 1, 0, 0, 1),
      samplerLogprobs: Float32Array.of(0, -1, 0, 0, -2),
      versions: Int32Array.of(-1, 3, -1, -1, 4),
      temperature: 0.5,
    }),
  )
})
