import { z } from 'zod'
import type { ChatMessage } from '../../text/index.ts'
import { promptSchema } from './chat-schema.ts'
import { readRows } from './read-rows.ts'

/** A solution in steps, each right or wrong. */
export interface StepSolution {
  prompt: ChatMessage[]
  steps: string[]
  /** One a step: whether it is right. */
  labels: boolean[]
}

const label = z.union(
  [z.boolean(), z.literal([0, 1]).transform((value) => value === 1)],
  'must be true, false, 1 or 0',
)

const row = z
  .object({
    prompt: promptSchema,
    steps: z.array(z.string().min(1)).optional(),
    completions: z.array(z.string().min(1)).optional(),
    labels: z.array(label),
  })
  .transform(({ prompt, steps, completions, labels }, context): StepSolution => {
    const texts = steps ?? completions ?? []
    if (texts.length === 0) context.addIssue({ code: 'custom', path: ['steps'], message: 'must have a step' })
    if (texts.length !== labels.length)
      context.addIssue({
        code: 'custom',
        path: ['labels'],
        message: `has ${labels.length} entries for ${texts.length} steps`,
      })
    return { prompt, steps: texts, labels }
  })

/**
 * Solutions with judged steps of a JSONL file (gzipped or not): `{"prompt", "steps": [text, ...], "labels": [true, ...]}` a row;
 * `completions` is another name of `steps`. Throws a DataError that names path, line and field for a wrong row, and for none.
 */
export function readStepSolutions(path: string): Promise<StepSolution[]> {
  return readRows(path, 'a solution: {"prompt", "steps", "labels"}', () => row)
}
