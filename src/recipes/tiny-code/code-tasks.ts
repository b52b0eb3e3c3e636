import { type GenerateOptions, generateTasks, type Task } from '../../data/index.ts'
import { completionPrompt } from '../../evals/generate-attempts.ts'
import { referenceOf } from '../conversation-of.ts'

/** JavaScript functions of a list of integers, one step or two. */
const family = {
  languages: ['javascript'],
  inputs: ['integers'],
  levels: [1, 2],
  examples: false,
} satisfies Partial<GenerateOptions>

export interface CodeTasks {
  /** For pretraining, fine-tuning, learning from tests, and learning to repair: the same combinations, drawn apart. */
  read: Task[]
  instructed: Task[]
  practised: Task[]
  mended: Task[]
  /** Combinations of operations that no other set has. */
  heldOut: Task[]
}

export interface TaskCounts {
  read: number
  instructed: number
  practised: number
  mended: number
  heldOut: number
}

export function codeTasks(seed: number, counts: TaskCounts): CodeTasks {
  const train = (part: number, count: number) =>
    generateTasks({ ...family, seed: seed * 4 + part, count, split: 'train' })
  return {
    read: train(0, counts.read),
    instructed: train(1, counts.instructed),
    practised: train(2, counts.practised),
    mended: train(3, counts.mended),
    heldOut: generateTasks({ ...family, seed, count: counts.heldOut, split: 'held-out' }),
  }
}

/** A file as one finds it: a comment that says what the function does, and the function. */
export function documentOf(task: Task): string {
  return completionPrompt(task) + referenceOf(task)
}
