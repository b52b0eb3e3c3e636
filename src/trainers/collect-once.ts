import { createHash } from 'node:crypto'
import {
  type AcceptedAnswer,
  answerOf,
  type CollectedAnswers,
  type CollectOptions,
  collectAccepted,
} from './collect-accepted.ts'
import type { Conversation } from './marked-tokens.ts'
import type { StageRun } from './stage.ts'

/** Accepted answers as JSON: what was drawn, from which all else follows. */
interface KeptAnswers {
  /** SHA-256 of what was asked and how. */
  asked: string
  counts: CollectedAnswers<never>['counts']
  /** `prompt` is its number; `promptTokens` of the tokens are the prompt's. */
  answers: { prompt: number; text: string; tokens: number[]; promptTokens: number }[]
}

/**
 * As `collectAccepted`; a run that keeps results keeps what was accepted, so that a stage that goes on asks neither teacher nor judge
 * again. Errors: other prompts or settings than those of what is kept.
 */
export async function collectOnce<T extends Conversation>(
  stage: string,
  run: StageRun | undefined,
  options: CollectOptions<T>,
): Promise<CollectedAnswers<T>> {
  if (!run?.once) return collectAccepted(options)
  const { teacher, prompts, samplesPerPrompt, keepPerPrompt, maxTokens, temperature, seed } = options
  const settings = { samplesPerPrompt, keepPerPrompt, maxTokens, temperature, seed }
  const asked = createHash('sha256')
    .update(JSON.stringify([settings, prompts.map(({ messages, tools }) => ({ messages, tools }))]))
    .digest('hex')
  const kept = await run.once<KeptAnswers>(`${stage}-accepted`, async () => {
    const { counts, accepted } = await collectAccepted(options)
    const numbers = new Map(prompts.map((prompt, number) => [prompt, number]))
    return {
      asked,
      counts,
      answers: accepted.map((answer) => keptAnswer(answer, numbers.get(answer.prompt)!)),
    }
  })
  if (kept.asked !== asked)
    throw new RangeError(
      `${stage}: the prompts or settings (${Object.keys(settings).join(', ')}) are not those of the answers that the run keeps under this name; resume it with those, begin a new run, or give another stage a name of its own`,
    )
  const accepted = kept.answers.map(({ prompt, text, tokens, promptTokens }) => {
    const drawn = Int32Array.from(tokens)
    return answerOf(teacher, prompts[prompt]!, {
      text,
      promptTokens: drawn.subarray(0, promptTokens),
      tokens: drawn.subarray(promptTokens),
    })
  })
  return { accepted, counts: kept.counts }
}

function keptAnswer(
  { text, tokens, mask }: AcceptedAnswer<unknown>,
  prompt: number,
): KeptAnswers['answers'][number] {
  return {
    prompt,
    text,
    tokens: [...tokens],
    promptTokens: mask.includes(1) ? mask.indexOf(1) : tokens.length,
  }
}
