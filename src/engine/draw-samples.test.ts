import { describe, expect, it } from 'vitest'
import { missingTokenizer } from '../text/index.ts'
import { drawSamples } from './draw-samples.ts'
import type { Model, SampleRequest } from './model.ts'
import type { NativeModel } from './native-model.ts'
import { createRandom, tinyModel, tinyTokenizer } from './testing/tiny-model.ts'

const prompt = [1, 2, 3, 4, 5]

interface Heard {
  tokens: number[]
  logprobs: number[]
  text: string
}

/** Draws, and gives back what `onToken` heard of each sample. */
async function listen(model: Model, request: SampleRequest) {
  const heard: Heard[] = Array.from({ length: request.n ?? 1 }, () => ({
    tokens: [],
    logprobs: [],
    text: '',
  }))
  const samples = await model.sample({
    ...request,
    onToken: (said) => {
      const own = heard[said.sample]!
      own.tokens.push(said.token)
      own.logprobs.push(said.logprob)
      own.text += said.text
      request.onToken?.(said)
    },
  })
  return { samples, heard }
}

/** An engine that draws the same tokens for everyone and says so before, after, or never. */
function scripted(tokens: number[], { late = false } = {}): { native: NativeModel; aborted: unknown[] } {
  const aborted: unknown[] = []
  const drawn = {
    tokens: Int32Array.from(tokens),
    logprobs: Float32Array.from(tokens, (_, index) => -index),
    topTokens: new Int32Array(),
    topValues: new Float32Array(),
    stopReason: 'length' as const,
  }
  const native: Pick<NativeModel, 'sample' | 'abort'> = {
    async sample(_, onToken) {
      const say = () => {
        for (const [at, token] of tokens.entries()) onToken?.({ sample: 0, token, logprob: -at })
      }
      if (late) setTimeout(say, 5)
      else say()
      return [drawn]
    },
    async abort(...which) {
      aborted.push(which.slice(1))
    },
  }
  return { native: native as NativeModel, aborted }
}

describe('onToken', () => {
  it('hears texts that join to the sample, whatever bytes, stop strings and ends come', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const random = createRandom(1)
    for (let trial = 0; trial < 15; trial++) {
      const request = { prompt, n: 3, maxTokens: 1 + random(60), seed: trial, stopTokens: [random(257)] }
      const plain = await model.sample(request)
      const piece = plain[0]!.text.slice(3, 5)
      // The first stops sample 0, the second never comes but begins at many a character.
      const stopStrings = [`${piece}`, ...[...plain[1]!.text].map((character) => `${character}\u0000never`)]
      const { samples, heard } = await listen(model, {
        ...request,
        stopStrings: stopStrings.filter((stop) => stop !== ''),
      })
      for (const [index, { text, tokens, logprobs }] of samples.entries())
        expect(heard[index]).toEqual({ tokens: [...tokens], logprobs: [...logprobs], text })
    }
  })

  it('hears the end that was held back when the sample is aborted', async () => {
    const tokenizer = await tinyTokenizer()
    const tokens = tokenizer.encode('abcde')
    const over = Promise.withResolvers<void>()
    const native: Pick<NativeModel, 'sample' | 'abort'> = {
      async sample(_, onToken) {
        for (const token of tokens) onToken?.({ sample: 0, token, logprob: 0 })
        await over.promise
        return [
          {
            tokens,
            logprobs: new Float32Array(tokens.length),
            topTokens: new Int32Array(),
            topValues: new Float32Array(),
            stopReason: 'aborted',
          },
        ]
      },
      async abort() {
        over.resolve()
      },
    }
    const controller = new AbortController()
    const heard: { token: number; text: string }[] = []
    const [sample] = await drawSamples(native as NativeModel, tokenizer, 257, {
      prompt,
      stopStrings: ['e\u0000never'],
      signal: controller.signal,
      onToken: (said) => heard.push(said) === tokens.length - 1 && controller.abort(),
    })
    expect(sample).toMatchObject({ stopReason: 'aborted', text: 'abcde' })
    expect(heard.map(({ text }) => text).join('')).toBe('abcde')
    expect(heard.map(({ token }) => token)).toEqual([...tokens])
  })

  it('has heard everything when sample resolves, and nothing twice, though the engine says it later', async () => {
    const heard: number[] = []
    const { native } = scripted([10, 11, 12], { late: true })
    await drawSamples(native, await tinyTokenizer(), 257, {
      prompt,
      onToken: ({ token }) => heard.push(token),
    })
    expect(heard).toEqual([10, 11, 12])
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(heard).toEqual([10, 11, 12])
  })

  it.each([false, true])(
    'rejects with what it throws and ends the request (engine late: %s)',
    async (late) => {
      const { native, aborted } = scripted([10, 11, 12], { late })
      const heard: number[] = []
      const error = new Error('full')
      const onToken = ({ token }: { token: number }) => {
        heard.push(token)
        throw error
      }
      const request = drawSamples(native, await tinyTokenizer(), 257, { prompt, onToken })
      await expect(request).rejects.toBe(error)
      expect(heard).toEqual([10])
      expect(aborted).toEqual([[undefined]])
    },
  )

  it('is waited for, and rejects the request with what it rejects with', async () => {
    const { native, aborted } = scripted([10, 11, 12])
    const heard: number[] = []
    const slow = async ({ token }: { token: number }) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      heard.push(token)
    }
    const samples = await drawSamples(native, await tinyTokenizer(), 257, { prompt, onToken: slow })
    expect(heard).toEqual([...samples[0]!.tokens])
    const error = new Error('closed')
    const failing = async ({ token }: { token: number }) => {
      await slow({ token })
      throw error
    }
    const request = drawSamples(native, await tinyTokenizer(), 257, { prompt, onToken: failing })
    await expect(request).rejects.toBe(error)
    expect(aborted).toContainEqual([undefined])
  })

  it('that throws leaves the model free for others', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16', { kvBytes: 200_000 })
    const failing = model.sample({
      prompt,
      n: 3,
      maxTokens: 300,
      stopTokens: [],
      onToken: () => {
        throw new Error('full')
      },
    })
    await expect(failing).rejects.toThrow('full')
    expect((await model.sample({ prompt, maxTokens: 5, stopTokens: [] }))[0]!.tokens).toHaveLength(5)
  })

  it('hears tokens of a model without a tokenizer, whose samples have no text', async () => {
    const tokenizer = missingTokenizer('a/folder')
    const heard: number[] = []
    const { native } = scripted([10, 11])
    const asked = { prompt, onToken: ({ token }: { token: number }) => heard.push(token) }
    expect(await drawSamples(native, tokenizer, 257, asked)).toMatchObject([{ text: '' }])
    expect(heard).toEqual([10, 11])
    await expect(drawSamples(native, tokenizer, 257, { prompt, stopStrings: ['a'] })).rejects.toThrow(
      'a/folder has no tokenizer, so',
    )
  })
})

describe('sample refuses', () => {
  const refused: [string, Record<string, unknown>, string][] = [
    ['a prompt of no ids', { prompt: 'text' }, "prompt is 'text'; it must be an Int32Array or an array"],
    ['a fraction', { prompt: [1, 1.5] }, 'prompt[1] is 1.5; token ids are integers from 0 to 256'],
    ['NaN', { prompt: [1, 2, Number.NaN] }, 'prompt[2] is NaN'],
    ['an id that would wrap', { prompt: [2 ** 32] }, 'prompt[0] is 4294967296'],
    ['a hole', { prompt: new Array(2) }, 'prompt[0] is undefined'],
    ['an id in text', { prompt: ['1'] }, "prompt[0] is '1'"],
    ['a temperature that overflows', { temperature: 1e-7 }, 'temperature is 1e-7; it must be 0 or at least'],
    [
      'a temperature of NaN',
      { temperature: Number.NaN },
      'temperature is NaN; it must be a number from 0 to 100',
    ],
    ['a topP that is 0 in f32', { topP: 1e-60 }, 'topP is 1e-60; it must be above 0'],
    ['more samples than the loop can bear', { n: 10_001 }, 'n is 10001; it must be at most 10000; draw more'],
    ['half a sample', { n: 1.5 }, 'n is 1.5; it must be an integer'],
    [
      'an infinite bias',
      { logitBias: { 3: -Infinity } },
      'logitBias.3 is -Infinity; it must be a number from -1e+30',
    ],
    ['a bias beyond f32', { logitBias: { 3: 1e31 } }, 'logitBias.3 is 1e+31'],
    [
      'a bias of no token',
      { logitBias: { a: 1 } },
      'logitBias has the key "a"; its keys are token ids from 0 to 256',
    ],
    ['a bias of a fraction', { logitBias: { 1.5: 1 } }, 'the key "1.5"'],
    ['a bias beyond the vocabulary', { logitBias: { 257: 1 } }, 'the key "257"'],
    ['an empty stop string', { stopStrings: ['a', ''] }, "stopStrings[1] is ''; it must not be empty"],
    ['an endless stop string', { stopStrings: ['a'.repeat(1001)] }, 'it must have at most 1000 characters'],
    ['a stop token below 0', { stopTokens: [-1] }, 'stopTokens[0] is -1; it must be an integer'],
    ['a seed beyond exact integers', { seed: 2 ** 53 }, 'seed is 9007199254740992; it must be an integer'],
    ['a setting that there is not', { maxToken: 3 }, 'no setting is named maxToken'],
    ['a listener that is none', { onToken: 1 }, 'onToken is 1; it must be a function'],
    ['a signal that is none', { signal: {} }, 'signal is {}; it must be an AbortSignal'],
  ]
  it.each(refused)('%s', async (_, settings, message) => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const request = model.sample({ prompt, ...settings } as SampleRequest)
    await expect(request).rejects.toThrow(message)
    await expect(request).rejects.toMatchObject({ name: 'EngineError' })
  })

  it('what is no request at all', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    for (const request of [undefined, null, 3, {}])
      await expect(model.sample(request as never)).rejects.toThrow(
        'prompt is undefined; it must be an Int32Array',
      )
  })
})

describe('sample', () => {
  it('stands the largest biases, of either sign, at the least temperature', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const request = { prompt, maxTokens: 3, temperature: 1e-6, stopTokens: [] }
    const [forced] = await model.sample({ ...request, logitBias: { 9: 1e30 } })
    expect([...forced!.tokens]).toEqual([9, 9, 9])
    const [free] = await model.sample(request)
    const [kept] = await model.sample({ ...request, logitBias: { [free!.tokens[0]!]: -1e30 } })
    expect(kept!.tokens[0]).not.toBe(free!.tokens[0])
    for (const { logprobs } of [forced!, free!, kept!])
      expect(logprobs.every((value) => value <= 0)).toBe(true)
  })

  it('reports no more likely tokens than there are', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const [sample] = await model.sample({ prompt, maxTokens: 2, topLogprobs: 1000, stopTokens: [] })
    expect(sample!.topLogprobs!.map((top) => new Set(top.map(({ token }) => token)).size)).toEqual([257, 257])
  })
})
