import type { Task } from '../../data/index.ts'
import type { TrainableModel } from '../../engine/index.ts'
import { estimatePassAtK, type Prompting } from '../../evals/index.ts'
import { collectGroups, type Policy } from '../../rollouts/index.ts'
import type { ReportCard, Run } from '../../runs/index.ts'
import type { Sandbox } from '../../sandbox/index.ts'
import { type CodeMeasure, measureCode, passValues } from '../measure-code.ts'
import { repairRollout } from '../repair-rollout.ts'

export interface ReportCardOptions {
  run: Run
  model: TrainableModel
  policy: Policy<TrainableModel>
  sandbox: Sandbox
  /** Held-out tasks, the same after every stage. */
  tasks: Task[]
  maxTokens: number
  log(text: string): void
}

const samples = 10
const ks = [1, 10]

/** Measures a model after each stage and gathers the figures for the report. */
export function createReportCard({ run, model, policy, sandbox, tasks, maxTokens, log }: ReportCardOptions) {
  const stages: { name: string; values: Record<string, number> }[] = []
  const written: { stage: string; answers: CodeMeasure['answers'] }[] = []
  const keep = (stage: string, measured: CodeMeasure) => {
    stages.push({ name: stage, values: measured.values })
    written.push({ stage, answers: measured.answers })
    log(`${stage}: ${describe(measured.values)}`)
  }
  return {
    /** pass@1 and pass@10 of single answers. */
    async measure(stage: string, prompting: Prompting): Promise<void> {
      const measured = await run.once(`after-${stage}`, () =>
        measureCode(model, {
          sandbox,
          tasks,
          n: samples,
          ks,
          maxTokens,
          temperature: 1,
          seed: run.seed,
          prompting,
        }),
      )
      keep(stage, measured)
    },
    /** The same where every sample is two tries, the second after the first one's failing test. */
    async measureRepair(): Promise<void> {
      const measured = await run.once('after-repair', () => measureRepair(run.seed))
      keep('repair', measured)
    },
    finish(): ReportCard {
      const shown = tasks.filter((_, index) => index % Math.ceil(tasks.length / 8) === 0)
      return {
        stages,
        samples: shown.map((task) => ({
          prompt: task.prompt,
          answers: written.flatMap(({ stage, answers }) =>
            answers
              .filter(({ taskId }) => taskId === task.id)
              .map(({ text, passed }) => ({ label: `after ${stage}`, text, passed })),
          ),
        })),
        notes: [
          `${tasks.length} held-out tasks, ${samples} samples each at temperature 1. Intervals are of 95 %, by bootstrap over tasks.`,
          'A sample of the repair stage is up to two tries: the second is made after reading which visible test failed.',
        ],
      }
    },
  }

  async function measureRepair(seed: number): Promise<CodeMeasure> {
    const { groups } = await collectGroups({
      policy,
      tasks: tasks.map((task) => ({ id: task.id, task })),
      rollout: repairRollout(sandbox, { maxTokens }),
      groupSize: samples,
      seed,
      step: 0,
      onFailure: 'zero',
    })
    const tallies = groups.map(({ trajectories }) => ({
      samples: trajectories.length,
      correct: trajectories.filter(({ parts }) => parts.passed === 1).length,
    }))
    const first = groups.flatMap(({ trajectories }) => trajectories.map(({ parts }) => parts.first ?? 0))
    return {
      values: {
        ...passValues(estimatePassAtK(tallies, ks)),
        'first try': first.reduce((sum, value) => sum + value, 0) / first.length,
      },
      answers: groups.map(({ taskId, trajectories }) => ({
        taskId,
        text: trajectories[0]!.calls
          .map(
            ({ text, toolCalls }) => text + toolCalls.map((call) => String(call.arguments.code)).join('\n'),
          )
          .join('\n--- the tests fail; second try ---\n'),
        passed: trajectories[0]!.parts.passed === 1,
      })),
    }
  }
}

function describe(values: Record<string, number>): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`
  return ks
    .map(
      (k) =>
        `pass@${k} ${percent(values[`pass@${k}`]!)} (${percent(values[`pass@${k}Low`]!)} to ${percent(values[`pass@${k}High`]!)})`,
    )
    .join(', ')
}
