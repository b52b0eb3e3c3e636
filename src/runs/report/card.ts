import { z } from 'zod'

const answerSchema = z.strictObject({
  /** Which model wrote it: `before`, `after sft`. */
  label: z.string(),
  text: z.string(),
  passed: z.boolean().optional(),
})

export const cardSchema = z.strictObject({
  /** What was measured after each stage: `pass@1` with `pass@1Low` and `pass@1High` shows as a value with its interval. */
  stages: z.array(z.strictObject({ name: z.string(), values: z.record(z.string(), z.number()) })).optional(),
  /** One question and what models of several stages answered. */
  samples: z.array(z.strictObject({ prompt: z.string(), answers: z.array(answerSchema) })).optional(),
  /** Sentences for the reader. */
  notes: z.array(z.string()).optional(),
})

/** What a pipeline adds to its report beside the curves. */
export type ReportCard = z.infer<typeof cardSchema>
