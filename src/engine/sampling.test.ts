import { describe, expect, it } from 'vitest'
import { tinyModel, tinyTokenizer } from './testing/tiny-model.ts'

const prompt = [1, 2, 3, 4, 5]

describe('sample', () => {
  it('ends at a stop token, which is a token of the sample but not of its text', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const [free] = await model.sample({ prompt, maxTokens: 30, seed: 3, stopTokens: [] })
    const stop = free!.tokens[7]!
    const first = free!.tokens.indexOf(stop)
    const [ended] = await model.sample({ prompt, maxTokens: 30, seed: 3, stopTokens: [stop] })
    expect(ended!.stopReason).toBe('stop')
    expect(ended!.tokens).toEqual(free!.tokens.slice(0, first + 1))
    expect(ended!.text).toBe(
      (await tinyTokenizer()).decode(free!.tokens.slice(0, first), { skipSpecial: true }),
    )
  })

  it('ends at a stop string, at the token that completes it', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const [free] = await model.sample({ prompt, maxTokens: 40, seed: 5, stopTokens: [] })
    const stop = free!.text.slice(10, 13)
    const pieces: string[] = []
    const [ended] = await model.sample({
      prompt,
      maxTokens: 40,
      seed: 5,
      stopTokens: [],
      stopStrings: [stop],
      onToken: ({ text }) => pieces.push(text),
    })
    expect(ended!.stopReason).toBe('stop')
    expect(ended!.text).toBe(free!.text.slice(0, free!.text.indexOf(stop)))
    expect(pieces.join('')).toBe(ended!.text)
    expect(ended!.tokens.length).toBe(ended!.logprobs.length)
  })

  it('numbers its samples, so that a request can be split', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const request = { prompt, maxTokens: 12, seed: 9 }
    const whole = await model.sample({ ...request, n: 4 })
    const parts = [
      await model.sample({ ...request, n: 2 }),
      await model.sample({ ...request, n: 2, firstSample: 2 }),
    ]
    expect(parts.flat()).toEqual(whole)
    expect(new Set(whole.map(({ text }) => text)).size).toBe(4)
  })

  it('an aborted request comes back as far as it got, and frees its room', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16', { kvBytes: 200_000 })
    const controller = new AbortController()
    const aborted = model.sample({
      prompt,
      n: 3,
      maxTokens: 300,
      stopTokens: [],
      signal: controller.signal,
      onToken: () => controller.abort(),
    })
    const after = model.sample({ prompt, maxTokens: 5 })
    for (const sample of await aborted) expect(sample.stopReason).toBe('aborted')
    expect((await after)[0]!.tokens.length).toBeGreaterThan(0)
    await expect(model.sample({ prompt, signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
  })

  it('biases and reports the most likely tokens', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const [sample] = await model.sample({
      prompt,
      maxTokens: 4,
      temperature: 0,
      logitBias: { 77: 1000 },
      topLogprobs: 3,
    })
    expect([...sample!.tokens]).toEqual([77, 77, 77, 77])
    expect(sample!.topLogprobs!.map((top) => top.length)).toEqual([3, 3, 3, 3])
    const [greedy] = await model.sample({
      prompt,
      maxTokens: 1,
      temperature: 0,
      topLogprobs: 1,
      stopTokens: [],
    })
    expect(greedy!.topLogprobs![0]![0]).toEqual({ token: greedy!.tokens[0], logprob: greedy!.logprobs[0] })
  })
})
