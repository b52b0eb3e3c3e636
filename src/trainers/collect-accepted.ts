import { seedOf } from '../data/index.ts'
import type { Model, Sample } from '../engine/index.ts'
import { type ChatMessage, parseAssistantText, toolSyntaxOf } from '../text/index.ts'
import { type Conversation, type MarkedTokens, markSampled } from './marked-tokens.ts'
import { type SamplingOptions, sampleAnswers } from './sample-answers.ts'

export interface CollectOptions<T extends Conversation> extends SamplingOptions {
  /** Whose answers are wanted. */
  teacher: Pick<Model, 'sample' | 'tokenizer'>
  /** What is asked; whatever else stands in a prompt is handed to the judge. */
  prompts: readonly T[]
  /** Whether an answer is good enough to learn from. */
  judge: (answer: { prompt: T; text: string }) => boolean | Promise<boolean>
  /** Default 4. */
  samplesPerPrompt?: number
  /** Most accepted answers kept of a prompt, in the order in which they were drawn. Default all. */
  keepPerPrompt?: number
  /** Default 0. */
  seed?: number
  /** Called with prompts that are answered and judged, and all of them. */
  onProgress?: (done: number, total: number) => void
}

export interface AcceptedAnswer<T> extends MarkedTokens {
  prompt: T
  text: string
  /** Prompt and answer, the answer's reasoning and tool calls taken apart. */
  messages: ChatMessage[]
}

export interface CollectedAnswers<T> {
  accepted: AcceptedAnswer<T>[]
  /** `sampled`, `truncated` (ended at maxTokens, never accepted), `duplicates` (asked about once), `accepted`, `promptsWithout`. */
  counts: Record<'sampled' | 'truncated' | 'duplicates' | 'accepted' | 'promptsWithout', number>
}

/** Prompts that are sampled and judged together. */
const promptsAtOnce = 32

/**
 * Samples answers of a (stronger) model and keeps those that a judge accepts, with the very tokens that were drawn. The same seed
 * gives the same answers. A judge that throws ends the collection.
 */
export async function collectAccepted<T extends Conversation>(
  options: CollectOptions<T>,
): Promise<CollectedAnswers<T>> {
  const { prompts, samplesPerPrompt = 4, seed = 0 } = options
  const counts = { sampled: 0, truncated: 0, duplicates: 0, accepted: 0, promptsWithout: 0 }
  const accepted: AcceptedAnswer<T>[] = []
  for (let from = 0; from < prompts.length; from += promptsAtOnce) {
    const some = prompts.slice(from, from + promptsAtOnce)
    const samples = await sampleAnswers({
      ...options,
      model: options.teacher,
      prompts: some,
      count: samplesPerPrompt,
      seedOf: (prompt) => seedOf(seed, 'teacher', from + prompt),
    })
    const kept = await Promise.all(
      some.map((prompt, index) => acceptedOf(options, prompt, samples[index]!, counts)),
    )
    for (const answers of kept) {
      if (answers.length === 0) counts.promptsWithout++
      accepted.push(...answers)
    }
    options.onProgress?.(from + some.length, prompts.length)
  }
  counts.accepted = accepted.length
  return { accepted, counts }
}

async function acceptedOf<T extends Conversation>(
  { teacher, judge, keepPerPrompt = Number.POSITIVE_INFINITY }: CollectOptions<T>,
  prompt: T,
  samples: Sample[],
  counts: CollectedAnswers<T>['counts'],
): Promise<AcceptedAnswer<T>[]> {
  const complete = samples.filter(({ stopReason }) => stopReason === 'stop')
  const distinct = [...new Map(complete.map((sample) => [sample.tokens.join(), sample])).values()]
  counts.sampled += samples.length
  counts.truncated += samples.length - complete.length
  counts.duplicates += complete.length - distinct.length
  const verdicts = await Promise.all(
    distinct.map(async ({ text }) => {
      const verdict: unknown = await judge({ prompt, text })
      if (typeof verdict === 'boolean') return verdict
      throw new TypeError(`collectAccepted: the judge said ${String(verdict)}; it must say true or false`)
    }),
  )
  const good = distinct.filter((_, index) => verdicts[index]).slice(0, keepPerPrompt)
  return good.map((sample) => answerOf(teacher, prompt, sample))
}

/** A sample of a prompt as an accepted answer. */
export function answerOf<T extends Conversation>(
  teacher: Pick<Model, 'tokenizer'>,
  prompt: T,
  { text, promptTokens, tokens }: Pick<Sample, 'text' | 'promptTokens' | 'tokens'>,
): AcceptedAnswer<T> {
  const messages = [...prompt.messages, answerMessage(teacher, text)]
  return { prompt, text, messages, ...markSampled(promptTokens, tokens) }
}

function answerMessage({ tokenizer }: Pick<Model, 'tokenizer'>, text: string): ChatMessage {
  const { content, reasoning, toolCalls } = parseAssistantText(text, toolSyntaxOf(tokenizer.chatTemplate))
  return {
    role: 'assistant',
    content,
    ...(reasoning !== undefined && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  }
}
