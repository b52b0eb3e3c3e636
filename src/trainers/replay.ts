import { z } from 'zod'
import { algorithm } from '../losses/index.ts'
import type { TokenSegment, Trajectory } from '../rollouts/index.ts'
import { shuffled } from './batches.ts'
import { rolloutRecord } from './rollout-record.ts'
import { type Row, rowOf } from './rows.ts'

export interface ReplayOptions {
  /** Steps that a rollout may be old; older ones are forgotten. From 1. */
  staleness: number
  /** Groups of earlier steps that join those of a step, where there are as many. Default 4. */
  groups?: number
  /** How the drift from the policy that drew a token is weighed: exp(lo - ls). Default `is-token-truncate`. */
  weights?: 'is-token-truncate' | 'is-token-mask' | 'is-sequence-truncate' | 'is-sequence-mask'
  /** Bounds of the weight; null: none. Defaults: those of `weights`. */
  lower?: number | null
  upper?: number | null
}

const bound = z.number().min(0).nullable().optional()
export const replaySchema = z
  .strictObject({
    staleness: z.int().min(1),
    groups: z.int().min(1).optional(),
    weights: z
      .enum(['is-token-truncate', 'is-token-mask', 'is-sequence-truncate', 'is-sequence-mask'])
      .optional(),
    lower: bound,
    upper: bound,
  })
  .optional()

export interface Replay {
  /** Rows of earlier groups for a step, numbered on from `firstGroup`. None that is older than allowed. */
  take(step: number, firstGroup: number): Row[]
  /** Keeps the groups of a step, by their rows. */
  add(step: number, rows: readonly Row[]): void
  save(): unknown
  load(saved: unknown): void
}

interface KeptGroup {
  step: number
  trajectories: Trajectory[]
}

/** Groups of earlier steps. Which are drawn for a step follows from the seed. Without options there are none. */
export function createReplay(options: ReplayOptions | undefined, seed: readonly (string | number)[]): Replay {
  let kept: KeptGroup[] = []
  return {
    take(step, firstGroup) {
      if (!options) return []
      kept = kept.filter((group) => step - group.step <= options.staleness)
      const chosen = shuffled(kept.length, [...seed, step])
        .slice(0, options.groups ?? 4)
        .sort((a, b) => a - b)
      return chosen.flatMap((index, place) =>
        kept[index]!.trajectories.flatMap((trajectory) => rowOf(trajectory, firstGroup + place) ?? []),
      )
    },
    add(step, rows) {
      if (!options) return
      const groups = new Map<number, Trajectory[]>()
      for (const { group, trajectory } of rows) groups.set(group, [...(groups.get(group) ?? []), trajectory])
      for (const trajectories of groups.values()) kept.push({ step, trajectories })
    },
    save: () =>
      kept.map(({ step, trajectories }) => ({
        step,
        trajectories: trajectories.map((one) => rolloutRecord(one)),
      })),
    load(saved) {
      kept = (saved as KeptGroup[]).map(({ step, trajectories }) => ({
        step,
        trajectories: trajectories.map((one) => ({ ...one, segments: one.segments.map(readSegment) })),
      }))
    },
  }
}

/** Importance weights of rows, [T] each, from what the policy says at the start of the step. Metrics as the `is-*` losses give them. */
export function importanceOf(
  { weights = 'is-token-truncate', lower, upper }: ReplayOptions,
  rows: readonly Row[],
  oldLogprobs: readonly Float32Array[],
) {
  return algorithm(weights).weigh(
    { ...(lower !== undefined && { lower }), ...(upper !== undefined && { upper }) },
    {
      oldLogprobs: [...oldLogprobs],
      samplerLogprobs: rows.map(({ samplerLogprobs }) => samplerLogprobs),
      masks: rows.map(({ mask }) => mask),
    },
  )
}

function readSegment({ tokens, mask, logprobs, versions, temperature }: TokenSegment): TokenSegment {
  return {
    tokens: Int32Array.from(tokens),
    mask: Uint8Array.from(mask),
    logprobs: Float32Array.from(logprobs),
    versions: Int32Array.from(versions),
    temperature,
  }
}
