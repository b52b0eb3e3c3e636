import { setImmediate } from 'node:timers/promises'
import { seededRandom } from '../data/index.ts'
import type { MaskedExample } from '../losses/index.ts'
import { type BatchSize, batchPlan } from './batches.ts'
import { documentWindows, encodeDocument, hideInWindow } from './encode-documents.ts'
import { tokensOfExample } from './masked-examples.ts'
import type { PretrainOptions } from './pretrain.ts'
import { streamBatches } from './stream-batches.ts'
import { plannedSteps, seedOfStage } from './training-options.ts'

export interface DocumentBatches {
  steps: number
  /** What a reader should know of documents that were left out. */
  notes: string[]
  at(step: number): Promise<MaskedExample[]>
  close(): Promise<void>
}

const defaultTokens: BatchSize = { tokens: 4096 }

/** A document's windows, what each weighs and what is learnt from it: the two objectives in one form. */
interface Objective<T> {
  windows(text: string): T[]
  tokensOf(window: T): number
  /** `place` tells apart the windows of a batch. */
  example(window: T, step: number, place: number): MaskedExample
}

export async function documentBatches(options: PretrainOptions): Promise<DocumentBatches> {
  const { model, objective = 'causal', context = model.info.context } = options
  if (context > model.info.context)
    throw new RangeError(`pretrain: context is ${context}; the model's is ${model.info.context}`)
  const { tokenizer } = model
  if (objective === 'causal')
    return batchesOf<MaskedExample>(options, {
      windows: (text) => encodeDocument(tokenizer, text, context),
      tokensOf: tokensOfExample,
      example: (window) => window,
    })
  const { kind: _, ...language } = objective
  const seed = seedOfStage(options)
  return batchesOf(options, {
    windows: (text) => documentWindows(tokenizer, text, context),
    tokensOf: (window) => window.length,
    example: (window, step, place) =>
      hideInWindow(
        tokenizer,
        window,
        language,
        seededRandom(seed, nameOf(options), 'hide', step, place).next,
      ),
  })
}

async function batchesOf<T>(options: PretrainOptions, objective: Objective<T>): Promise<DocumentBatches> {
  const { documents, batch = defaultTokens, shuffleAmong = 1024, steps } = options
  const seed = [seedOfStage(options), nameOf(options), 'order']
  const examples = (windows: T[], step: number) =>
    windows.map((window, place) => objective.example(window, step, place))
  if (Array.isArray(documents)) {
    const { windows, notes } = await windowsOfArray(documents, objective)
    const plan = batchPlan(windows.map(objective.tokensOf), batch, seed)
    return {
      steps: plannedSteps('pretrain', options, plan),
      notes,
      async at(step) {
        return examples(
          plan.at(step).map((index) => windows[index]!),
          step,
        )
      },
      async close() {},
    }
  }
  if (steps === undefined || options.epochs !== undefined)
    throw new RangeError('pretrain: a stream of documents has no known length; give steps, and no epochs')
  refuseSinglePass(documents)
  const stream = streamBatches(() => windowsOfStream(documents, objective), objective.tokensOf, batch, {
    shuffleAmong,
    seed,
  })
  return {
    steps,
    notes: [],
    at: async (step) => examples(await stream.at(step), step),
    close: stream.close,
  }
}

async function windowsOfArray<T>(documents: readonly unknown[], objective: Objective<T>) {
  const windows: T[] = []
  let empty = 0
  for (const [index, text] of documents.entries()) {
    const found = objective.windows(checkedText(text, index))
    if (found.length === 0) empty++
    for (const window of found) windows.push(window)
    // A large corpus takes a while to encode; signals and timers get their turn.
    if (index % 256 === 255) await setImmediate()
  }
  if (windows.length === 0)
    throw new RangeError(
      `pretrain: none of ${documents.length} documents has two tokens, so there is nothing to learn`,
    )
  const notes = empty > 0 ? [`${empty} of ${documents.length} documents were too short to learn from`] : []
  return { windows, notes }
}

async function* windowsOfStream<T>(
  documents: Iterable<string> | AsyncIterable<string>,
  objective: Objective<T>,
): AsyncGenerator<T> {
  let index = 0
  for await (const text of documents) yield* objective.windows(checkedText(text, index++))
}

function checkedText(text: unknown, index: number): string {
  if (typeof text === 'string') return text
  throw new RangeError(
    `pretrain: document ${index} is not a text but ${text === null ? 'null' : typeof text}`,
  )
}

function refuseSinglePass(documents: Iterable<string> | AsyncIterable<string>): void {
  const iterator: unknown =
    Symbol.asyncIterator in documents ? documents[Symbol.asyncIterator]() : documents[Symbol.iterator]()
  if (iterator === documents)
    throw new RangeError(
      'pretrain: documents can be looped over only once (a generator?), but a second epoch and a resumed run read them again; ' +
        'give an array, or an object whose [Symbol.asyncIterator]() starts from the beginning',
    )
}

function nameOf({ name = 'pretrain' }: PretrainOptions): string {
  return name
}
