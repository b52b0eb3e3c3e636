/**
 * Pretraining: predict the next token (`causal`) or hidden ones (`masked`) of documents.
 *
 * Every document is a sequence of its own, so none sees another; a step holds as many as its tokens allow. Documents in an array
 * are encoded once; a stream is read anew in each epoch and shuffled among the next few windows.
 */
import { z } from 'zod'
import { algorithm, tokenTotals } from '../losses/index.ts'
import { checkOptions } from './check-options.ts'
import { documentBatches } from './document-batches.ts'
import type { MaskedLanguage } from './encode-documents.ts'
import { runStage, type StageReport } from './stage.ts'
import { trainStep } from './train-step.ts'
import { shownFirst, type TrainingStageOptions, trainingStageSchemas } from './training-options.ts'

export interface PretrainOptions extends TrainingStageOptions {
  /** Texts, or something that gives them anew whenever it is looped over, such as `readDocuments(path)`; that needs `steps`. */
  documents: readonly string[] | Iterable<string> | AsyncIterable<string>
  /** What is learnt. Default `causal`. */
  objective?: 'causal' | ({ kind: 'masked' } & MaskedLanguage)
  /** Most tokens of a sequence; longer documents are cut. Default: the model's context. */
  context?: number
  /** Windows of a stream among which the next one is drawn. Default 1024. */
  shuffleAmong?: number
}

const documentsSchema = z.custom((value) => {
  const given = value as Partial<Iterable<string> & AsyncIterable<string>> | null
  return typeof given === 'object' && (Symbol.iterator in given! || Symbol.asyncIterator in given!)
}, 'must be an array of texts, or an object to loop over')

const share = z.number().min(0).max(1).optional()
const schemas = {
  ...trainingStageSchemas,
  documents: documentsSchema,
  objective: z
    .union(
      [
        z.literal('causal'),
        z.strictObject({
          kind: z.literal('masked'),
          maskToken: z.string().min(1),
          hiding: z.strictObject({ rate: share, maskShare: share, randomShare: share }).optional(),
        }),
      ],
      "must be 'causal' or { kind: 'masked', maskToken, hiding? }",
    )
    .optional(),
  context: z.int().min(1).optional(),
  shuffleAmong: z.int().min(1).optional(),
}

/**
 * Trains on documents. Metrics of a step: `loss` and `nll` (mean of -log p of the batch's tokens, in nats), `gradientNorm`,
 * `learningRate`, `tokens`. Errors: options that do not fit, documents without anything to learn.
 */
export async function* pretrain(options: PretrainOptions): AsyncGenerator<StageReport, void, void> {
  checkOptions<PretrainOptions>('pretrain', schemas, options)
  const { name = 'pretrain', model, optimizer, run, evaluate } = options
  const masked = options.objective !== undefined && options.objective !== 'causal'
  const data = await documentBatches(options)
  yield* runStage({
    name,
    steps: data.steps,
    state: { models: { [name]: model } },
    async step(index) {
      const examples = await data.at(index)
      const totals = tokenTotals(examples.flatMap(({ masks }) => masks))
      const loss = algorithm(masked ? 'mlm' : 'sft').build({}, totals)
      const outcome = await trainStep({ model, examples, loss, optimizer, step: index, steps: data.steps })
      return { ...outcome, ...shownFirst(index, data.notes) }
    },
    ...(evaluate && { evaluate }),
    ...(run && { run }),
    close: data.close,
  })
}
