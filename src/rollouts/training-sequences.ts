import type { Sequence } from '../engine/index.ts'
import type { TokenSegment, Trajectory } from './types.ts'

/**
 * A segment as the engine takes it. Only drawn tokens are asked for, so that the head computes nothing for prompts and what tools
 * said; -1 elsewhere. All arrays: [T - 1].
 */
export interface TrainingSequence extends Sequence {
  /** 1 where the target was drawn by the policy. */
  mask: Uint8Array
  /** The sampler's log-probability of each drawn target, in nats; 0 elsewhere. */
  samplerLogprobs: Float32Array
  /** The policy's version at each drawn target; -1 elsewhere. */
  versions: Int32Array
  /** What to divide logits by. */
  temperature: number
}

/** The sequences to train on, one for each segment. */
export function trainingSequences(trajectory: Pick<Trajectory, 'segments'>): TrainingSequence[] {
  return trajectory.segments.map(trainingSequence)
}

function trainingSequence({ tokens, mask, logprobs, versions, temperature }: TokenSegment): TrainingSequence {
  return {
    input: tokens.slice(0, -1),
    target: tokens.slice(1).map((token, t) => (mask[t + 1] === 1 ? token : -1)),
    mask: mask.slice(1),
    samplerLogprobs: logprobs.slice(1),
    versions: versions.slice(1),
    temperature,
  }
}
