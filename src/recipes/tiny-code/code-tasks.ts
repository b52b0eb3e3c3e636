import { type GenerateOptions, generateTasks, seededRandom, seedOf, type Task } from '../../data/index.ts'
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
  /** For pretraining and for fine-tuning: mostly of two steps, since few distinct tasks have one. */
  read: Task[]
  instructed: Task[]
  /** For learning from tests and to repair: as many of one step as of two, as in `heldOut`. */
  practised: Task[]
  mended: Task[]
  /** Combinations of operations that no other set has. */
  heldOut: Task[]
}

/** `practised` and `mended` are rounded down to multiples of 200. */
export type TaskCounts = Record<keyof CodeTasks, number>

/** Distinct tasks of one step, each an operation and its number, that are drawn at once; there are about 117. */
const oneStepTasks = 100

export function codeTasks(seed: number, counts: TaskCounts): CodeTasks {
  const train = (part: string, count: number, levels: number[] = family.levels) =>
    generateTasks({ ...family, levels, seed: seedOf('tiny-code', seed, part), count, split: 'train' })

  /** Tasks of one step, drawn anew for each wording, among as many of two steps, in random order. */
  function balanced(part: string, count: number): Task[] {
    const wordings = Math.floor(count / (2 * oneStepTasks))
    const tasks = train(part, wordings * oneStepTasks, [2])
    for (let wording = 0; wording < wordings; wording++)
      for (const task of train(`${part} ${wording}`, oneStepTasks, [1]))
        tasks.push({ ...task, id: `${task.id}/${wording}` })
    const random = seededRandom('tiny-code order', seed, part)
    const keyed = tasks.map((task) => ({ task, key: random.next() }))
    return keyed.sort((a, b) => a.key - b.key).map(({ task }) => task)
  }

  return {
    read: train('read', counts.read),
    instructed: train('instructed', counts.instructed),
    practised: balanced('practised', counts.practised),
    mended: balanced('mended', counts.mended),
    heldOut: generateTasks({ ...family, seed, count: counts.heldOut, split: 'held-out' }),
  }
}

/** A file as one finds it: a comment that says what the function does, and the function. */
export function documentOf(task: Task): string {
  return completionPrompt(task) + referenceOf(task)
}
