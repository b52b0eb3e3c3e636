import type { LanguageModelV4, SharedV3Warning } from '@ai-sdk/provider'
import type { SettledAnswer } from './answer.ts'
import { type AnsweredCall, type PolicyParts, type PreparedCall, prepareCall } from './answer-call.ts'
import type { CallOptions } from './call-settings.ts'
import type { OpenRecording } from './recording.ts'

type Kind = 'reasoning' | 'text'

interface ToolCallPart {
  type: 'tool-call'
  toolCallId: string
  toolName: string
  /** JSON, or what the model wrote where that is not valid. */
  input: string
}

type Content = { type: Kind; text: string } | ToolCallPart

interface Usage {
  inputTokens: { total: number; noCache: undefined; cacheRead: undefined; cacheWrite: undefined }
  outputTokens: { total: number; text: number; reasoning: number }
}

type StreamPart =
  | { type: 'stream-start'; warnings: SharedV3Warning[] }
  | { type: `${Kind}-${'start' | 'end'}` | 'tool-input-end'; id: string }
  | { type: `${Kind | 'tool-input'}-delta`; id: string; delta: string }
  | { type: 'tool-input-start'; id: string; toolName: string }
  | ToolCallPart
  | { type: 'finish'; usage: Usage; finishReason: AnsweredCall['finish'] }

interface GenerateResult {
  content: Content[]
  finishReason: AnsweredCall['finish']
  usage: Usage
  warnings: SharedV3Warning[]
}

/** What the provider interfaces of `ai` 6 and `ai` 7 share, and all that a text model needs of them. */
interface PolicyModel {
  readonly provider: string
  readonly modelId: string
  readonly supportedUrls: Record<string, RegExp[]>
  doGenerate(options: CallOptions): Promise<GenerateResult>
  doStream(options: CallOptions): Promise<{ stream: ReadableStream<StreamPart> }>
}

/**
 * A LanguageModelV3. Not by that name, since @ai-sdk/provider 4 no longer declares it as `ai` 6 and @ai-
 * sdk/provider 3 do.
 */
export interface PolicyModelV3 extends PolicyModel {
  readonly specificationVersion: 'v3'
}

/** The policy for `ai` 7; its calls are kept in the recording. */
export function languageModelV4(policy: PolicyParts, recording: OpenRecording): LanguageModelV4 {
  return { specificationVersion: 'v4', ...policyModel(policy, recording) }
}

/** The policy for `ai` 6; its calls are kept in the recording. */
export function languageModelV3(policy: PolicyParts, recording: OpenRecording): PolicyModelV3 {
  return { specificationVersion: 'v3', ...policyModel(policy, recording) }
}

function policyModel(policy: PolicyParts, recording: OpenRecording): PolicyModel {
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

function toolCallPart({ id, name, input }: AnsweredCall['toolCalls'][number]): ToolCallPart {
  return { type: 'tool-call', toolCallId: id, toolName: name, input }
}

function usageOf({ promptTokens, tokens, reasoningTokens }: AnsweredCall): Usage {
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
  const grow = (kind: Kind, whole: string) => {
    const delta = whole.slice(told[kind].length)
    if (delta === '') return
    if (!open[kind]) part({ type: `${kind}-start`, id: kind })
    open[kind] = true
    told[kind] = whole
    part({ type: `${kind}-delta`, id: kind, delta })
  }
  const end = (kind: Kind) => {
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
