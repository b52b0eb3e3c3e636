import type { Loss, TrainableModel } from '../../src/engine/index.ts'

/**
 * The same model with a clock: `busySeconds()` is how long at least one call of the engine was in flight, the time that losses took in
 * TypeScript not counted. No sample ends before its limit, so that every side draws the same number of tokens.
 */
export function busyModel(model: TrainableModel) {
  let inFlight = 0
  let began = 0
  let busy = 0
  let inLosses = 0
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    if (inFlight++ === 0) began = performance.now()
    try {
      return await work()
    } finally {
      if (--inFlight === 0) busy += performance.now() - began
    }
  }
  const timedLoss =
    <E>(loss: Loss<E & never>): Loss<E & never> =>
    (example, outputs) => {
      const start = performance.now()
      const result = loss(example, outputs)
      inLosses += performance.now() - start
      return result
    }
  const clocked: TrainableModel = {
    ...model,
    sample: (request) => timed(() => model.sample({ ...request, stopTokens: [] })),
    forward: (sequences, options) => timed(() => model.forward(sequences, options)),
    forwardBackward: (examples, loss, options) =>
      timed(() => model.forwardBackward(examples, timedLoss(loss as never) as never, options)),
    optimStep: (step) => timed(() => model.optimStep(step)),
  }
  return { model: clocked, busySeconds: () => (busy - inLosses) / 1000, forwardTimed: timed }
}
