import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { ChatMessage, ToolCall } from '../text/index.ts'
import type { PolicyModelV3 } from './language-model.ts'

/** What a rollout was worth. */
export interface Reward {
  /** The number that training maximises. Finite. */
  reward: number
  /** What it was made of, by name; each part is recorded apart. */
  parts?: Record<string, number>
}

export interface RolloutContext<T> {
  /** The policy as an AI SDK model; every call through it is recorded. */
  model: LanguageModelV4
  /** The same for `ai` 6; calls of both make up one trajectory. */
  modelV3: PolicyModelV3
  task: T
  /** Aborted when the rollout ran out of time or the run is stopped. */
  signal: AbortSignal
  /** For whatever the rollout itself draws; the model's calls take theirs from it and their number. */
  seed: number
}

/** One attempt at a task, as any async function: call the model, use tools, say what it was worth. */
export type Rollout<T> = (context: RolloutContext<T>) => Promise<number | Reward>

/** One sequence in which every call of the model extended what came before it. All arrays: [T]. */
export interface TokenSegment {
  tokens: Int32Array
  /** 1 on tokens the policy drew, 0 on prompts and tool output. */
  mask: Uint8Array
  /** The sampler's log-probability of each drawn token, in nats, tempered and before truncation; 0 elsewhere. */
  logprobs: Float32Array
  /** The policy's version at each drawn token; -1 elsewhere. */
  versions: Int32Array
  /** What the logits were divided by when the tokens were drawn. Above 0. */
  temperature: number
}

/** One call of the model in words. */
export interface CallRecord {
  /** What the call added to the conversation before it; the whole of it in a first call and after a break. */
  messages: ChatMessage[]
  text: string
  reasoning?: string
  toolCalls: ToolCall[]
  stopReason: 'stop' | 'length' | 'aborted'
  promptTokens: number
  tokens: number
  /** Index into `segments`. */
  segment: number
}

export interface Trajectory {
  taskId: string
  /** Number within its group, from 0. */
  sample: number
  seed: number
  /** More than one where a re-rendered history did not extend the tokens before it. */
  segments: TokenSegment[]
  calls: CallRecord[]
  prefixBreaks: number
  /** Whether a call ended at its token limit. */
  truncated: boolean
  reward: number
  parts: Record<string, number>
  /** Attempts made; above 1 where earlier ones threw or timed out. */
  attempts: number
  /** Why the rollout failed, where it did. */
  failure?: string
}

/** All trajectories of one task. */
export interface TrajectoryGroup<T> {
  task: T
  taskId: string
  trajectories: Trajectory[]
}
