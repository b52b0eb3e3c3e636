/**
 * On-policy distillation: the student writes, the teacher says how likely it finds every token (Agarwal et al., arXiv 2306.13649; Gu et al.,
 * arXiv 2306.08543). The advantage of a token is log p_teacher - log p_student, so the expected update goes down the reverse KL; there is no
 * reward to wait for and one number a token to learn from.
 */
import { z } from 'zod'
import type { Model } from '../engine/index.ts'
import { algorithm } from '../losses/index.ts'
import { checkOptions, having } from './check-options.ts'
import { type Passes, passesSchemas } from './minibatches.ts'
import { optimizerStep } from './optimizer.ts'
import { learnedOf } from './rollout-record.ts'
import { rolloutStage } from './rollout-stage.ts'
import { type RolloutStageOptions, rolloutStageSchemas } from './rollout-stage-options.ts'
import { forwardRows, type Row } from './rows.ts'
import { refuseOtherTokens } from './same-tokens.ts'
import type { StageReport } from './stage.ts'
import { seedOfStage } from './training-options.ts'
import { idleUpdate, updatePolicy } from './update-policy.ts'

export interface OnPolicyDistillationOptions<T>
  extends Omit<RolloutStageOptions<T>, 'reference' | 'resample'>,
    Passes {
  /** With the student's vocabulary. */
  teacher: Model
  /** Bounds of a token's advantage, in nats, either way: a token that the teacher all but rules out weighs no more. Default 10. */
  largestAdvantage?: number
}

const { reference: _reference, resample: _resample, ...shared } = rolloutStageSchemas
const schemas = {
  ...shared,
  teacher: having<Model>('forward', 'a model'),
  largestAdvantage: z.number().positive().optional(),
  ...passesSchemas,
}

/**
 * Trains a student on a teacher's opinion of what it writes. What the rollout returns is recorded and not trained on. Metrics: those of
 * `policyGradient`, and `reverseKl`, the mean of log p_student - log p_teacher, in nats a token.
 * Errors: as `policyGradient`; a teacher of another vocabulary.
 */
export async function* onPolicyDistillation<T>(
  options: OnPolicyDistillationOptions<T>,
): AsyncGenerator<StageReport, void, void> {
  checkOptions<OnPolicyDistillationOptions<T>>('on-policy-distillation', schemas, options)
  const {
    name = 'on-policy-distillation',
    policy,
    teacher,
    optimizer,
    steps,
    largestAdvantage = 10,
  } = options
  const model = policy.model
  refuseOtherTokens('on-policy-distillation', { name: 'student', model }, { name: 'teacher', model: teacher })

  yield* rolloutStage(options, {
    name,
    async update({ step, rows }) {
      if (rows.length === 0) return idleUpdate(optimizerStep(optimizer, step, steps).learningRate)
      const began = performance.now()
      const taughtLogprobs = (await forwardRows(teacher, rows)).map(({ logprobs }) => logprobs)
      const judged = performance.now()
      const gaps = rows.map((row, index) => gapOf(row, taughtLogprobs[index]!))
      const advantages = gaps.map((gap) =>
        gap.map((value) => Math.max(-largestAdvantage, Math.min(largestAdvantage, value))),
      )
      const oldLogprobs = rows.map(({ samplerLogprobs }) => samplerLogprobs)
      const updated = await updatePolicy({
        model,
        rows,
        advantages,
        oldLogprobs,
        loss: (totals) => algorithm('ppo').build({}, totals),
        optimizer,
        step,
        steps,
        passes: options,
        seed: [seedOfStage(options), name, 'minibatches'],
      })
      return {
        ...updated,
        metrics: { ...updated.metrics, reverseKl: 0 - meanOf(rows, gaps) },
        seconds: {
          ...updated.seconds,
          teacher: (judged - began) / 1000,
        },
        learned: learnedOf(rows, advantages, oldLogprobs),
      }
    },
  })
}

/** log p_teacher - log p_student of drawn tokens, 0 elsewhere. [T]. */
function gapOf({ mask, samplerLogprobs }: Row, taught: Float32Array): Float64Array {
  return Float64Array.from(mask, (m, t) => (m === 1 ? taught[t]! - samplerLogprobs[t]! : 0))
}

function meanOf(rows: readonly Row[], gaps: readonly Float64Array[]): number {
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0)
  return gaps.reduce((sum, gap) => sum + gap.reduce((part, value) => part + value, 0), 0) / tokens
}
