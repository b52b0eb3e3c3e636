import { generateTasks, type MessagesExample, type Task } from '../../data/index.ts'
import type { Model } from '../../engine/index.ts'
import { chatMessage } from '../../evals/generate-attempts.ts'
import { collectAccepted } from '../../trainers/index.ts'
import { referenceOf } from '../conversation-of.ts'
import { sayNowAndThen } from '../say-now-and-then.ts'

export interface RehearsalOptions {
  /** Questions; those whose answer takes more than `maxTokens` are left out, and how many is logged. */
  count: number
  maxTokens: number
  seed: number
  log: (line: string) => void
}

/**
 * The model's own answers, right or wrong, to questions of other families than those it is about to learn, three of four put as a
 * function to complete. Learnt beside the new examples they keep what it does there: drawn at temperature 1 from the model itself, they have
 * no expected gradient at the start and pull back what drifts (Li & Hoiem, Learning without Forgetting, arXiv 1606.09282, by samples).
 */
export async function rehearsal(model: Model, options: RehearsalOptions): Promise<MessagesExample[]> {
  const { count, maxTokens, seed, log } = options
  const tasks = generateTasks({
    languages: ['python'],
    inputs: ['text', 'words', 'integer', 'grid'],
    levels: [1, 2, 3],
    seed,
    count,
    split: 'train',
  })
  const { accepted, counts } = await collectAccepted({
    teacher: model,
    prompts: tasks.map((task, index) => ({
      messages: [{ role: 'user', content: chatMessage(index % 4 === 0 ? task : toComplete(task)) }],
    })),
    judge: () => true,
    samplesPerPrompt: 1,
    maxTokens,
    seed,
    onProgress: sayNowAndThen('rehearsal: answering', log),
  })
  log(`rehearsal: ${counts.accepted} of ${counts.sampled} answers end within ${maxTokens} tokens`)
  return accepted.map(({ messages }) => ({ messages }))
}

/** The Python task as the head of its function with the description as docstring. */
export function toComplete(task: Task): Task {
  const head = referenceOf(task)
    .split('\n')
    .find((line) => line.startsWith(`def ${task.entryPoint}(`))
  if (head === undefined) throw new Error(`the reference of ${task.id} does not define ${task.entryPoint}`)
  return { ...task, form: 'completion', prompt: `${head}\n    """${task.prompt}"""\n` }
}
