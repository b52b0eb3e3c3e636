import type { FloatArray } from '../engine/contract.ts'

/**
 * -log softmax(z)[target] of one row of logits and its gradient in them, written to `gradient` times `weight`.
 *
 * @param logits rows of `classes` entries, [N * classes]
 * @returns the log-probability of the target, in nats
 */
export function softmaxCrossEntropy(
  logits: FloatArray,
  row: number,
  classes: number,
  target: number,
  weight: number,
  gradient: FloatArray,
): number {
  if (!Number.isInteger(target) || target < 0 || target >= classes) {
    throw new RangeError(`the target of row ${row} must be a class in [0, ${classes}), got ${target}`)
  }
  const start = row * classes
  let largest = -Infinity
  for (let k = 0; k < classes; k++) {
    const logit = logits[start + k]
    if (logit === undefined || !Number.isFinite(logit))
      throw new Error(`logit ${k} of row ${row} is ${logit}`)
    if (logit > largest) largest = logit
  }
  let sum = 0
  for (let k = 0; k < classes; k++) sum += Math.exp(logits[start + k]! - largest)
  const logSum = largest + Math.log(sum)
  for (let k = 0; k < classes; k++) {
    gradient[start + k] = weight * (Math.exp(logits[start + k]! - logSum) - (k === target ? 1 : 0))
  }
  return logits[start + target]! - logSum
}
