import type { Model, TrainableModel } from '../engine/index.ts'

/** What a stage is held to: the model given, or the trained one as it is now. `close` gives back the memory of the latter. */
export async function frozenReference<M extends Pick<Model, 'forward'>>(
  given: M | undefined,
  trained: TrainableModel,
): Promise<{ reference: M | Model; close(): Promise<void> }> {
  if (given) return { reference: given, close: async () => {} }
  const snapshot = await trained.snapshot()
  return { reference: snapshot, close: () => snapshot.dispose() }
}
