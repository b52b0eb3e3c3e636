import { createHash } from 'node:crypto'
import type { Model, Sample } from '../engine/index.ts'
import {
  type ChatMessage,
  type ChatOptions,
  endTokens,
  renderChat,
  type Tokenizer,
  type ToolSyntax,
} from '../text/index.ts'
import {
  type Answer,
  type AnswerFormat,
  readAnswer,
  type SettledAnswer,
  settledAnswer,
  textTokenFilter,
} from './answer.ts'
import { buildPrompt } from './build-prompt.ts'
import { type CallOptions, callSettings, type PolicySettings } from './call-settings.ts'
import { askForJson, checkJson, extractJson } from './json-answer.ts'
import { argumentsOf, promptMessages } from './prompt-messages.ts'
import type { GivenAnswer } from './recorded-call.ts'
import type { CallTicket, OpenRecording } from './recording.ts'
import { RolloutError } from './rollout-error.ts'

/** A policy as its language models see it. */
export interface PolicyParts {
  model: Model
  /** The model's, with the policy's chat template. */
  tokenizer: Tokenizer
  syntax: ToolSyntax
  settings: PolicySettings
}

export interface AnsweredCall {
  answer: GivenAnswer
  /** The answer's calls with their input as JSON, or as it was written where that is not valid. */
  toolCalls: { id: string; name: string; input: string }[]
  finish: { unified: 'stop' | 'length' | 'tool-calls' | 'error'; raw: string }
  promptTokens: number
  tokens: number
  /** How many of the tokens are reasoning. */
  reasoningTokens: number
  /** Found while answering; those of the settings are known before. */
  warnings: { type: 'other'; message: string }[]
}

/** A call ready to be answered. */
export interface PreparedCall {
  warnings: ReturnType<typeof callSettings>['warnings']
  /** Draws the answer and records it. `hear` is told what of it is settled, as it grows. */
  answer(signal: AbortSignal | undefined, hear?: (settled: SettledAnswer) => void): Promise<AnsweredCall>
}

/**
 * Turns an AI SDK call into a request of the engine. Errors: as `renderChat` and `promptMessages`; no room
 * for an answer; a closed recording.
 */
export function prepareCall(
  policy: PolicyParts,
  recording: OpenRecording,
  options: CallOptions,
): PreparedCall {
  recording.refuseLateCall()
  const { model, tokenizer } = policy
  const settings = callSettings(options, policy.settings, tokenizer)
  const asked = promptMessages(options.prompt)
  const messages = settings.json ? askForJson(asked, settings.json) : asked
  const chat = { tools: settings.tools, templateOptions: settings.templateOptions }
  const prompt = buildPrompt(tokenizer, messages, chat, recording.calls)
  const room = model.info.context - prompt.tokens.length
  if (room < 1)
    throw new RolloutError(
      `the prompt has ${prompt.tokens.length} tokens, which leaves no room for an answer in the model's context of ${model.info.context}; shorten the conversation`,
    )
  const format: AnswerFormat = {
    syntax: policy.syntax,
    tools: settings.callsTools,
    thinking: prompt.text.trimEnd().endsWith('<think>'),
    stopStrings: settings.sampling.stopStrings,
  }

  async function draw(
    signal: AbortSignal | undefined,
    seed: number,
    hear?: (settled: SettledAnswer) => void,
  ) {
    const before = await model.version()
    const [sample] = await model.sample({
      ...settings.sampling,
      prompt: prompt.tokens,
      maxTokens: Math.min(settings.sampling.maxTokens, room),
      seed,
      stopTokens: [...endTokens(tokenizer)],
      signal: signal ? AbortSignal.any([recording.signal, signal]) : recording.signal,
      ...(hear && { onToken: settledListener(tokenizer, format, hear) }),
    })
    const version = await model.version()
    recording.refuseIfClosed()
    if (version !== before)
      throw new RolloutError(
        'the weights changed while the policy was answering; wait for all rollouts before a step of the optimiser',
      )
    return { sample: sample as Sample, version }
  }

  /** What the tokens say. Calls that the template could not render in a history (Llama's takes one a turn) are text. */
  function interpret(tokens: Int32Array, ticket: CallTicket) {
    const written = writtenText(tokenizer, tokens)
    const read = readAnswer(written, format)
    const toolCalls = read.toolCalls.map((call, index) => ({ id: callId(ticket, index), ...call }))
    const json = settings.json && toolCalls.length === 0 ? extractJson(read.text) : undefined
    const check = settings.json && toolCalls.length === 0 ? checkJson(json, settings.json) : {}
    const answer = givenAnswer(read, json ?? read.text, toolCalls)
    if (toolCalls.length < 2 || renders(tokenizer, [...messages, answer], chat))
      return { answer, toolCalls, check }
    const plain = readAnswer(written, { ...format, tools: false })
    return { answer: givenAnswer(plain, plain.text, []), toolCalls: [], check }
  }

  return {
    warnings: settings.warnings,
    async answer(signal, hear) {
      signal?.throwIfAborted()
      const ticket = recording.begin(prompt.tokens, settings.seed, signal)
      try {
        const { sample, version } = await draw(signal, ticket.seed, settings.json ? undefined : hear)
        const { answer, toolCalls, check } = interpret(sample.tokens, ticket)
        recording.keep(ticket, {
          messages,
          promptText: prompt.text,
          prompt: prompt.tokens,
          tokens: sample.tokens,
          logprobs: sample.logprobs,
          version,
          // The engine records the untempered distribution where it takes the most likely token.
          temperature: settings.sampling.temperature || 1,
          stopReason: sample.stopReason,
          answer,
          ...(prompt.parent && { parent: prompt.parent }),
          broken: prompt.broken,
        })
        if (sample.stopReason === 'aborted') {
          signal?.throwIfAborted()
          throw new RolloutError('the engine gave up the call')
        }
        return {
          answer,
          toolCalls,
          finish: finishOf(sample.stopReason, toolCalls.length > 0, check.problem),
          promptTokens: prompt.tokens.length,
          tokens: sample.tokens.length,
          reasoningTokens: reasoningTokens(tokenizer, sample.tokens, answer),
          warnings: check.unchecked === undefined ? [] : [{ type: 'other', message: check.unchecked }],
        }
      } finally {
        recording.end(ticket)
      }
    },
  }
}

function renders(tokenizer: Tokenizer, messages: ChatMessage[], chat: ChatOptions): boolean {
  try {
    renderChat(tokenizer, messages, chat)
    return true
  } catch {
    return false
  }
}

function finishOf(
  stopReason: 'stop' | 'length',
  calls: boolean,
  problem: string | undefined,
): AnsweredCall['finish'] {
  if (stopReason === 'length') return { unified: 'length', raw: 'length' }
  if (problem !== undefined) return { unified: 'error', raw: problem }
  return calls ? { unified: 'tool-calls', raw: 'stop' } : { unified: 'stop', raw: 'stop' }
}

function givenAnswer(read: Answer, content: string, toolCalls: AnsweredCall['toolCalls']): GivenAnswer {
  return {
    role: 'assistant',
    content,
    ...(read.reasoning && { reasoning: read.reasoning }),
    ...(toolCalls.length > 0 && {
      toolCalls: toolCalls.map(({ id, name, input }): NonNullable<GivenAnswer['toolCalls']>[number] => ({
        id,
        name,
        arguments: argumentsOf(input),
      })),
    }),
  }
}

/**
 * Nine letters and digits, which Mistral's templates insist on; the same for the same call of the same
 * rollout.
 */
function callId(ticket: CallTicket, index: number): string {
  return createHash('sha256')
    .update(JSON.stringify([ticket.seed, ticket.digest, ticket.occurrence, index]))
    .digest('hex')
    .slice(0, 9)
}

function writtenText(tokenizer: Tokenizer, tokens: Int32Array): string {
  return tokenizer.decode(tokens.filter(textTokenFilter(tokenizer)))
}

function settledListener(tokenizer: Tokenizer, format: AnswerFormat, hear: (settled: SettledAnswer) => void) {
  const decoder = tokenizer.decoder()
  const isText = textTokenFilter(tokenizer)
  let written = ''
  return ({ token }: { token: number }) => {
    const fresh = isText(token) ? decoder.push(token) : ''
    if (fresh === '') return
    written += fresh
    hear(settledAnswer(written, format))
  }
}

function reasoningTokens(tokenizer: Tokenizer, tokens: Int32Array, answer: GivenAnswer): number {
  if (answer.reasoning === undefined) return 0
  let [low, high] = [0, tokens.length]
  const reasons = (count: number) => !writtenText(tokenizer, tokens.subarray(0, count)).includes('</think>')
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (reasons(middle)) low = middle
    else high = middle - 1
  }
  return Math.min(tokens.length, low + 1)
}
