import type { LanguageModelV4 } from '@ai-sdk/provider'
import { z } from 'zod'
import type { Model } from '../engine/index.ts'
import { type ToolSyntax, templateProblem, toolSyntaxOf } from '../text/index.ts'
import type { PolicyParts } from './answer-call.ts'
import { describeIssue } from './describe-issue.ts'
import { languageModelV3, languageModelV4, type PolicyModelV3 } from './language-model.ts'
import { createRecording, type OpenRecording, type Recording } from './recording.ts'
import { RolloutError } from './rollout-error.ts'

export interface PolicyOptions {
  /** Of calls that set none; 0 takes the most likely token. Default 1. */
  temperature?: number
  /** Most tokens of an answer, for calls that set none. Default 512. */
  maxTokens?: number
  /** Of calls that set none; 0: all tokens. Default 0. */
  topK?: number
  /** Of calls that set none. Default 1. */
  topP?: number
  /** As in `Model.sample`. Default 0. */
  minP?: number
  /** A Jinja template in place of the tokenizer's. */
  chatTemplate?: string
  /** Further variables of the template, such as `enable_thinking`. */
  templateOptions?: Record<string, unknown>
  /** How the model writes tool calls. Default: as its chat template does. */
  toolSyntax?: ToolSyntax
}

/** A model as agents take it, which keeps what it drew for training. */
export interface Policy<M extends Model = Model> {
  /** The very model given; training it in place changes the policy. */
  readonly model: M
  /**
   * For `ai` 7. Calls go into the recording; without one given, into one of this language model's own, which grows for as long
   * as it is used: make one for each conversation.
   */
  languageModel(options?: { recording?: Recording }): LanguageModelV4
  /** The same for `ai` 6. */
  languageModelV3(options?: { recording?: Recording }): PolicyModelV3
  /** Begins a trajectory. The seed (default 0) decides its calls' draws; the signal closes the recording. */
  startRecording(options?: { seed?: number; signal?: AbortSignal }): Recording
}

const policyOptions = z.strictObject({
  temperature: z.number().min(0).max(100).default(1),
  maxTokens: z.int().min(1).default(512),
  topK: z.int().min(0).default(0),
  topP: z.number().gt(0).max(1).default(1),
  minP: z.number().min(0).max(1).default(0),
  chatTemplate: z.string().optional(),
  templateOptions: z.record(z.string(), z.unknown()).default({}),
  toolSyntax: z.enum(['hermes', 'llama', 'mistral']).optional(),
})

/** Makes a policy of a model. Errors: what is no model; no chat template, or one that renders no
 * conversation; an option that is unknown or out of its range, named. */
export function createPolicy<M extends Model>(model: M, options: PolicyOptions = {}): Policy<M> {
  if (typeof (model as Partial<M> | undefined)?.sample !== 'function')
    throw new RolloutError(
      'createPolicy: its first argument must be a model: `createPolicy(await loadModel(...))`',
    )
  const parsed = policyOptions.safeParse(options)
  if (!parsed.success) throw new RolloutError(`createPolicy: ${describeIssue(parsed.error, options)}`)
  const { chatTemplate, toolSyntax, ...settings } = parsed.data
  const tokenizer = chatTemplate === undefined ? model.tokenizer : { ...model.tokenizer, chatTemplate }
  if (tokenizer.chatTemplate === undefined)
    throw new RolloutError(
      "createPolicy: the model's tokenizer has no chat template; load one that has, or give a `chatTemplate`",
    )
  const problem = templateProblem(tokenizer, settings.templateOptions)
  if (problem !== undefined) {
    const where =
      chatTemplate === undefined
        ? "the model's tokenizer (chat_template.jinja, or chat_template in tokenizer_config.json)"
        : 'the option chatTemplate'
    throw new RolloutError(`createPolicy: ${where}: ${problem}`)
  }
  const parts: PolicyParts = {
    model,
    tokenizer,
    syntax: toolSyntax ?? toolSyntaxOf(tokenizer.chatTemplate),
    settings,
  }
  const recordings = new WeakMap<Recording, OpenRecording>()
  const startRecording: Policy['startRecording'] = (recordingOptions) => {
    const recording = createRecording(recordingOptions)
    const shown: Recording = {
      read: recording.read,
      close: recording.close,
      get unawaited() {
        return recording.unawaited
      },
    }
    recordings.set(shown, recording)
    return shown
  }
  const opened = (recording: Recording = startRecording()) => {
    const found = recordings.get(recording)
    if (!found)
      throw new RolloutError('the recording is not one of this policy; begin one with its startRecording')
    return found
  }
  return {
    model,
    languageModel: ({ recording } = {}) => languageModelV4(parts, opened(recording)),
    languageModelV3: ({ recording } = {}) => languageModelV3(parts, opened(recording)),
    startRecording,
  }
}
