/**
 * Preference learning on the policy's own groups: sample a group, score it, and learn from its structure. `gspo-pairs` takes every pair whose
 * scores differ, `gdpo-contrast` each answer against the mean of the others, `gdpo-listwise` a softmax over the group. On-policy, unlike
 * `dpo`; one frozen reference, no critic.
 */
import { z } from 'zod'
import { algorithm, type PureLoss, preferencePairs, type ScoredGroup } from '../losses/index.ts'
import { checkOptions } from './check-options.ts'
import { frozenReference } from './frozen-reference.ts'
import { optimizerStep } from './optimizer.ts'
import { meanKlOf } from './reference-kl.ts'
import { rolloutStage } from './rollout-stage.ts'
import { type RolloutStageOptions, refuseLoneAnswers, rolloutStageSchemas } from './rollout-stage-options.ts'
import { forwardRows, type Row, rowsExample, rowsLoss, temperatureOf } from './rows.ts'
import { samplerCheck } from './sampler-check.ts'
import type { StageReport } from './stage.ts'
import { trainStep } from './train-step.ts'
import { idleUpdate } from './update-policy.ts'

const ids = ['gspo-pairs', 'gdpo-contrast', 'gdpo-listwise'] as const
export type GroupPreferenceId = (typeof ids)[number]

export interface GroupPreferenceOptions<T> extends RolloutStageOptions<T> {
  algorithm: GroupPreferenceId
  /** Of the loss (docs/losses.md): `beta`; for `gspo-pairs` also `margin`, `weighting`, `groupReduction`. */
  loss?: {
    beta?: number
    margin?: number
    weighting?: 'uniform' | 'score-gap'
    groupReduction?: 'groups' | 'pairs'
  }
}

const schemas = {
  ...rolloutStageSchemas,
  algorithm: z.string(),
  loss: z.record(z.string(), z.union([z.number(), z.string()])).optional(),
}

/** What a step learns from: a group in which some answer is better than another. */
interface Group {
  rows: Row[]
  scores: number[]
}

/**
 * Trains a policy on groups of its own. Metrics: those of rollouts (docs/training.md), `loss`, `margin` and `accuracy` (or
 * `winnerProbability`), `kl` of the groups learnt from, `gradientNorm`, `learningRate`, `tokens`, `samplerTrainerDifference`.
 * Errors: as `policyGradient`.
 */
export async function* groupPreference<T>(
  options: GroupPreferenceOptions<T>,
): AsyncGenerator<StageReport, void, void> {
  const id = options.algorithm
  checkId(id)
  checkOptions<GroupPreferenceOptions<T>>(id, schemas, options)
  refuseLoneAnswers(id, options.groupSize)
  const { policy, optimizer, steps } = options
  const model = policy.model
  const margin = options.loss?.margin ?? 0
  const lossOf = (groups: number, pairs: number): PureLoss<ScoredGroup> =>
    id === 'gspo-pairs'
      ? algorithm(id).build(options.loss ?? {}, { groups, pairs })
      : algorithm(id).build(options.loss ?? {}, { groups })
  lossOf(1, 1)
  const { reference, close } = await frozenReference(id, options.reference, model)

  yield* rolloutStage(options, {
    name: id,
    close,
    async update({ step, rows }) {
      const groups = groupsOf(rows).filter(({ scores }) => preferencePairs(scores, margin).length > 0)
      if (groups.length === 0) return idleUpdate(optimizerStep(optimizer, step, steps).learningRate)
      const began = performance.now()
      const examples = []
      for (const group of groups) {
        const referenceLogprobs = (await forwardRows(reference, group.rows)).map(({ logprobs }) => logprobs)
        examples.push(rowsExample(group.rows, { referenceLogprobs, scores: group.scores }))
      }
      const referenced = performance.now()
      const kl = meanKlOf(
        groups.flatMap((group) => group.rows),
        examples.flatMap(({ inner }) => inner.referenceLogprobs),
      )
      const pairs = groups.reduce((sum, { scores }) => sum + preferencePairs(scores, margin).length, 0)
      const check = samplerCheck(new Set(rows))
      const loss = rowsLoss(lossOf(groups.length, pairs), check.hear)
      const training = { temperature: temperatureOf(rows) }
      const { metrics, seconds } = await trainStep({
        model,
        examples,
        loss,
        optimizer,
        step,
        steps,
        training,
      })
      return {
        metrics: { ...metrics, ...check.metrics(), kl, pairs, learningGroups: groups.length },
        seconds: {
          reference: (referenced - began) / 1000,
          ...seconds,
        },
      }
    },
  })
}

function groupsOf(rows: readonly Row[]): Group[] {
  const groups = new Map<number, Group>()
  for (const row of rows) {
    const group = groups.get(row.group) ?? { rows: [], scores: [] }
    group.rows.push(row)
    group.scores.push(row.trajectory.reward)
    groups.set(row.group, group)
  }
  return [...groups.values()]
}

function checkId(id: string): asserts id is GroupPreferenceId {
  if ((ids as readonly string[]).includes(id)) return
  algorithm(id)
  throw new RangeError(`"${id}" does not learn from groups' preferences; what does: ${ids.join(', ')}`)
}
