import type {
  LanguageModelV3CallOptions,
  LanguageModelV4CallOptions,
  SharedV3Warning,
} from '@ai-sdk/provider'
import type { Tokenizer, ToolDefinition } from '../text/index.ts'
import type { JsonFormat } from './json-answer.ts'

export type CallOptions = LanguageModelV3CallOptions | LanguageModelV4CallOptions

/** What the policy does where a call says nothing. */
export interface PolicySettings {
  temperature: number
  maxTokens: number
  topK: number
  topP: number
  minP: number
  templateOptions: Record<string, unknown>
}

export interface CallSettings {
  sampling: {
    temperature: number
    maxTokens: number
    topK: number
    topP: number
    minP: number
    stopStrings: string[]
  }
  seed: number | undefined
  tools: ToolDefinition[]
  /** Whether the answer may hold calls. */
  callsTools: boolean
  json: JsonFormat | undefined
  templateOptions: Record<string, unknown>
  /** Of settings that cannot be honoured. Both versions of the AI SDK's provider interface take these. */
  warnings: SharedV3Warning[]
}

/** An AI SDK call's settings, completed by the policy's own. */
export function callSettings(
  options: CallOptions,
  policy: PolicySettings,
  tokenizer: Tokenizer,
): CallSettings {
  const warnings: SharedV3Warning[] = []
  const unsupported = (feature: string, details?: string) =>
    warnings.push({ type: 'unsupported', feature, ...(details !== undefined && { details }) })
  if (options.presencePenalty) unsupported('presencePenalty')
  if (options.frequencyPenalty) unsupported('frequencyPenalty')
  const tools: ToolDefinition[] = []
  for (const tool of options.tools ?? []) {
    if (tool.type === 'provider') {
      unsupported(`provider tool ${tool.id}`, 'the model runs in this process and has no tools of its own')
      continue
    }
    const { name, description, inputSchema } = tool
    // Which dialect a schema is written in is nothing to a language model but more tokens.
    const { $schema, ...parameters } = inputSchema
    tools.push({
      name,
      ...(description !== undefined && { description }),
      parameters,
    })
  }
  const choice = options.toolChoice?.type ?? 'auto'
  if (choice === 'required' || choice === 'tool')
    unsupported(`toolChoice ${choice}`, 'the model is told of the tools but cannot be forced to call one')
  const format = options.responseFormat
  return {
    sampling: {
      temperature: options.temperature ?? policy.temperature,
      maxTokens: options.maxOutputTokens ?? policy.maxTokens,
      topK: options.topK ?? policy.topK,
      topP: options.topP ?? policy.topP,
      minP: policy.minP,
      stopStrings: options.stopSequences ?? [],
    },
    seed: options.seed,
    tools,
    callsTools: tools.length > 0 && choice !== 'none',
    json: format?.type === 'json' ? format : undefined,
    templateOptions: { ...policy.templateOptions, ...thinkingOption(options, tokenizer, unsupported) },
    warnings,
  }
}

/** Reasoning can be turned off where the chat template has a switch for it, and its effort not be set. */
function thinkingOption(
  options: CallOptions,
  tokenizer: Tokenizer,
  unsupported: (feature: string, details: string) => void,
): Record<string, unknown> {
  const effort = 'reasoning' in options ? options.reasoning : undefined
  if (effort === undefined || effort === 'provider-default') return {}
  if (effort === 'none' && tokenizer.chatTemplate?.includes('enable_thinking'))
    return { enable_thinking: false }
  unsupported(`reasoning ${effort}`, 'how much the model reasons is up to the model')
  return {}
}
