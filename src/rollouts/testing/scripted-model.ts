import type { Model, ModelInfo, Sample, SampleRequest } from '../../engine/index.ts'
import type { Tokenizer } from '../../text/index.ts'

export interface ScriptedModel extends Model {
  /** What it was asked, in order. */
  readonly requests: SampleRequest[]
  /** What it gave, in order. */
  readonly samples: Sample[]
}

export interface ScriptedOptions {
  context?: number
  /** What `version()` says. Default 7. */
  version?: () => number
  /** Spell as the tokenizer does. Default false. */
  asEncoded?: boolean
}

/**
 * A model that says what it is told to, by default spelled letter by letter as no tokenizer would, so that
 * encoding its words again gives other tokens. `answer` gets the prompt's text and the request; it ends its
 * turn unless its answer is cut at the limit or by a stop string.
 */
export function scriptedModel(
  tokenizer: Tokenizer,
  answer: (prompt: string, request: SampleRequest) => string | Promise<string>,
  options: ScriptedOptions = {},
): ScriptedModel {
  const requests: SampleRequest[] = []
  const samples: Sample[] = []
  const refuse = () => {
    throw new Error('a scripted model only samples')
  }
  return {
    info: { architecture: 'scripted', context: options.context ?? 100_000 } as ModelInfo,
    tokenizer,
    requests,
    samples,
    async sample(request) {
      requests.push(request)
      const prompt = Int32Array.from(request.prompt)
      const written = await answer(tokenizer.decode(prompt), request)
      const sample = spell(tokenizer, written, request, prompt, options.asEncoded ?? false)
      sample.tokens.forEach((token, index) => {
        request.onToken?.({ sample: 0, token, logprob: sample.logprobs[index] as number, text: '' })
      })
      samples.push(sample)
      return [sample]
    },
    version: async () => options.version?.() ?? 7,
    forward: refuse,
    trainable: refuse,
    parameter: refuse,
    parameterNames: refuse,
    saveWeights: refuse,
    dispose: refuse,
    [Symbol.asyncDispose]: refuse,
  }
}

function spell(
  tokenizer: Tokenizer,
  written: string,
  request: SampleRequest,
  prompt: Int32Array,
  asEncoded: boolean,
): Sample {
  const stop = request.stopStrings?.find((text) => written.includes(text))
  const said = stop === undefined ? written : written.slice(0, written.indexOf(stop) + stop.length)
  const letters = asEncoded
    ? [...tokenizer.encode(said)]
    : said
        .split(/(<\|?[^<>\s]*>|\[TOOL_CALLS\])/)
        .flatMap((part) => (tokenizer.tokenToId(part) === undefined ? [...part] : [part]))
        .flatMap((part) => [...tokenizer.encode(part)])
  const limit = request.maxTokens ?? 256
  const ending = stop === undefined ? [tokenizer.eosTokenId as number] : []
  const tokens = Int32Array.from([...letters, ...ending].slice(0, limit))
  return {
    text: said,
    promptTokens: prompt,
    tokens,
    logprobs: Float32Array.from(tokens, (token, index) => -(token + index) / 100),
    stopReason: request.signal?.aborted
      ? 'aborted'
      : tokens.length > limit - 1 && letters.length + ending.length > limit
        ? 'length'
        : 'stop',
  }
}
