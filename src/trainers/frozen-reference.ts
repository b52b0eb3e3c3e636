import type { Model, TrainableModel } from '../engine/index.ts'
import { refuseOtherTokens, type Speaker } from './same-tokens.ts'

/** What a stage is held to: the model given, or the trained one as it is now. `close` gives back the memory of the latter. Errors: as `refuseOtherTokens`. */
export async function frozenReference<M extends Pick<Model, 'forward'> & Speaker>(
  trainer: string,
  given: M | undefined,
  trained: TrainableModel,
): Promise<{ reference: M | Model; close(): Promise<void> }> {
  if (given) {
    refuseOtherTokens(trainer, { name: 'model', model: trained }, { name: 'reference', model: given })
    return { reference: given, close: async () => {} }
  }
  const snapshot = await trained.snapshot()
  return { reference: snapshot, close: () => snapshot.dispose() }
}
