import { type GenerateOptions, generateTasks, seedOf, type Task } from '../../data/index.ts'
import { completionPrompt } from '../../evals/generate-attempts.ts'
import { referenceOf } from '../conversation-of.ts'

/** JavaScript functions of a list of integers, one step or two; mostly two, since few distinct tasks have one. */
const family = {
  languages: ['javascript'],
  inputs: ['integers'],
  levels: [1, 2],
  examples: false,
} satisfies Partial<GenerateOptions>

export interface CodeTasks {
  /** For pretraining. */
  read: Task[]
  /** For fine-tuning. */
  instructed: Task[]
  /** To learn from tests. */
  practised: Task[]
  /** Combinations of operations that no other set has, each once. */
  heldOut: Task[]
}

export function codeTasks(seed: number, counts: Record<keyof CodeTasks, number>): CodeTasks {
  const train = (part: string, count: number) =>
    generateTasks({ ...family, seed: seedOf('tiny-code', seed, part), count, split: 'train' })
  return {
    read: train('read', counts.read),
    instructed: train('instructed', counts.instructed),
    practised: train('practised', counts.practised),
    heldOut: generateTasks({ ...family, seed, count: counts.heldOut, split: 'held-out', perCombination: 1 }),
  }
}

/** A file as one finds it: a comment that says what the function does, and the function. */
export function documentOf(task: Task): string {
  return completionPrompt(task) + referenceOf(task)
}
