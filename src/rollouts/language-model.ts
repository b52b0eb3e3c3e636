import type {
  LanguageModelV3,
  LanguageModelV3Content,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
  LanguageModelV4,
} from '@ai-sdk/provider'
import type { SettledAnswer } from './answer.ts'
import { type AnsweredCall, type PolicyParts, type PreparedCall, prepareCall } from './answer-call.ts'
import type { CallOptions } from './call-settings.ts'
import type { OpenRecording } from './recording.ts'

/** What an answer is made of: the parts whose shapes both versions share. */
type Content = Extract<LanguageModelV3Content, { type: 'text' | 'reasoning' | 'tool-call' }>
type StreamPart = Extract<
  LanguageModelV3StreamPart,
  {
    type:
      | 'stream-start'
      | `${'text' | 'reasoning' | 'tool-input'}-${'start' | 'delta' | 'end'}`
      | 'tool-call'
      | 'finish'
  }
>

/** The policy for `ai` 7; its calls are kept in the recording. */
export function languageModelV4(policy: PolicyParts, recording: OpenRecording): LanguageModelV4 {
  return { specificationVersion: 'v4', ...languageModel(policy, recording) }
}

/** The policy for `ai` 6; its calls are kept in the recording. */
export function languageModelV3(policy: PolicyParts, recording: OpenRecording): LanguageModelV3 {
  return { specificationVersion: 'v3', ...languageModel(policy, recording) }
}

function languageModel(policy: PolicyParts, recording: OpenRecording) {
  return {
    provider: 'whetstone',
    modelId: policy.model.info.architecture,
    supportedUrls: {},
    async doGenerate(options: CallOptions) {
      const call = prepareCall(policy, recording, options)
      const answered = await call.answer(options.abortSignal)
      return {
        content: contentOf(answered),
        finishReason: answered.finish,
        usage: usageOf(answered),
        warnings: [...call.warnings, ...answered.warnings],
      }
    },
    async doStream(options: CallOptions) {
      return { stream: streamOf(prepareCall(policy, recording, options), options.abortSignal) }
    },
  }
}

function contentOf({ answer, toolCalls }: AnsweredCall): Content[] {
  const content: Content[] = []
  if (answer.reasoning) content.push({ type: 'reasoning', text: answer.reasoning })
  if (answer.content !== '') content.push({ type: 'text', text: answer.content })
  return [...content, ...toolCalls.map(toolCallPart)]
}

function toolCallPart({ id, name, input }: AnsweredCall['toolCalls'][number]) {
  return { type: 'tool-call' as const, toolCallId: id, toolName: name, input }
}

function usageOf({ promptTokens, tokens, reasoningTokens }: AnsweredCall): LanguageModelV3Usage {
  return {
    inputTokens: { total: promptTokens, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: tokens, text: tokens - reasoningTokens, reasoning: reasoningTokens },
  }
}

/** The answer as it is drawn: reasoning, then text, then the tool calls, which are whole only at the end. */
function streamOf(call: PreparedCall, signal: AbortSignal | undefined): ReadableStream<StreamPart> {
  const cancelled = new AbortController()
  return new ReadableStream({
    async start(controller) {
      const part = (value: StreamPart) => {
        if (!cancelled.signal.aborted) controller.enqueue(value)
      }
      part({ type: 'stream-start', warnings: call.warnings })
      const parts = growingParts(part)
      try {
        const ended = signal ? AbortSignal.any([signal, cancelled.signal]) : cancelled.signal
        const answered = await call.answer(ended, parts.grow)
        parts.finish({ reasoning: answered.answer.reasoning ?? '', text: answered.answer.content })
        for (const toolCall of answered.toolCalls) {
          part({ type: 'tool-input-start', id: toolCall.id, toolName: toolCall.name })
          part({ type: 'tool-input-delta', id: toolCall.id, delta: toolCall.input })
          part({ type: 'tool-input-end', id: toolCall.id })
          part(toolCallPart(toolCall))
        }
        part({ type: 'finish', usage: usageOf(answered), finishReason: answered.finish })
        if (!cancelled.signal.aborted) controller.close()
      } catch (error) {
        if (cancelled.signal.aborted) return
        controller.error(error)
      }
    },
    cancel(reason) {
      cancelled.abort(reason)
    },
  })
}

/** Tells of reasoning and text as they grow, each between its start and its end. */
function growingParts(part: (value: StreamPart) => void) {
  const told = { reasoning: '', text: '' }
  const open = { reasoning: false, text: false }
  const grow = (kind: 'reasoning' | 'text', whole: string) => {
    const delta = whole.slice(told[kind].length)
    if (delta === '') return
    if (!open[kind]) part({ type: `${kind}-start`, id: kind })
    open[kind] = true
    told[kind] = whole
    part({ type: `${kind}-delta`, id: kind, delta })
  }
  const end = (kind: 'reasoning' | 'text') => {
    if (open[kind]) part({ type: `${kind}-end`, id: kind })
    open[kind] = false
  }
  const growAll = ({ reasoning, text }: SettledAnswer) => {
    grow('reasoning', reasoning)
    if (text !== '') end('reasoning')
    grow('text', text)
  }
  return {
    grow: growAll,
    finish(whole: SettledAnswer) {
      growAll(whole)
      end('reasoning')
      end('text')
    },
  }
}
