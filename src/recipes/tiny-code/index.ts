/**
 * From nothing to a model that writes small functions, in minutes on a laptop: tokenizer, pretraining on code and its description,
 * fine-tuning to answer questions, a preference stage on groups of its own answers, reinforcement learning on hidden tests, and repair:
 * two tries in an agent's loop, the second after reading what failed. After each stage the same held-out tasks are measured;
 * their combinations of operations occur in no training task.
 */
import { z } from 'zod'
import { createPolicy } from '../../rollouts/index.ts'
import { defineRun } from '../../runs/index.ts'
import { createSandbox } from '../../sandbox/index.ts'
import { groupPreference, policyGradient, pretrain, sft } from '../../trainers/index.ts'
import { answerRollout } from '../answer-rollout.ts'
import { repairDemonstrations } from '../repair-demonstrations.ts'
import { repairRollout } from '../repair-rollout.ts'
import { runToEnd } from '../run-to-end.ts'
import { codeTasks, conversationOf, documentOf, toolCallOf } from './code-tasks.ts'
import { createReportCard } from './report-card.ts'
import { tinyModel, tinyTokenizer } from './tiny-model.ts'

const steps = (count: number) => z.int().min(1).default(count)

export default defineRun({
  name: 'tiny-code',
  seed: 1,
  options: {
    pretrainSteps: steps(1200),
    sftSteps: steps(200),
    preferenceSteps: steps(20),
    grpoSteps: steps(30),
    demonstrationSteps: steps(80),
    repairSteps: steps(20),
    heldOut: steps(100),
  },
  async train({ run, options, log }) {
    const tasks = codeTasks(run.seed, {
      read: 4000,
      instructed: 3000,
      practised: 800,
      heldOut: options.heldOut,
    })
    const documents = tasks.read.map(documentOf)
    const conversations = tasks.instructed.map(conversationOf)
    const answers = conversations.flatMap(({ messages }) => messages.map(({ content }) => content))
    const tokenizer = await tinyTokenizer([...documents, ...answers, ...tasks.instructed.map(toolCallOf)])
    const model = await tinyModel(tokenizer, run.seed)
    const sandbox = await createSandbox()
    try {
      const policy = createPolicy(model, { maxTokens })
      const practised = tasks.practised.map((task) => ({ id: task.id, task }))
      const card = createReportCard({ run, model, policy, sandbox, tasks: tasks.heldOut, maxTokens, log })
      const answered = { policy, tasks: practised, rollout: answerRollout(sandbox, { maxTokens }), run }

      await runToEnd(
        pretrain({ model, documents, run, steps: options.pretrainSteps, optimizer: muon(0.02, 3e-3) }),
      )
      await card.measure('pretrain', 'completion')

      await runToEnd(
        sft({
          model,
          examples: conversations,
          run,
          steps: options.sftSteps,
          batch: { examples: 16 },
          optimizer: muon(0.01, 1e-3),
        }),
      )
      await card.measure('sft', 'chat')

      await runToEnd(
        groupPreference({
          ...answered,
          algorithm: 'gdpo-contrast',
          steps: options.preferenceSteps,
          tasksPerStep: 16,
          optimizer: adamw(3e-4),
        }),
      )
      await card.measure('preference', 'chat')

      await runToEnd(
        policyGradient({
          ...answered,
          algorithm: 'grpo',
          steps: options.grpoSteps,
          tasksPerStep: 16,
          kl: { coefficient: 0.01 },
          optimizer: adamw(3e-4),
        }),
      )
      await card.measure('grpo', 'chat')

      const examples = await run.once('demonstrations', () =>
        repairDemonstrations(model, sandbox, tasks.instructed.slice(0, 1000), { maxTokens, seed: run.seed }),
      )
      await runToEnd(
        sft({
          name: 'demonstrations',
          model,
          examples,
          answers: 'last',
          run,
          steps: options.demonstrationSteps,
          batch: { examples: 16 },
          optimizer: muon(0.005, 5e-4),
        }),
      )
      await runToEnd(
        policyGradient({
          ...answered,
          name: 'repair',
          rollout: repairRollout(sandbox, { maxTokens }),
          algorithm: 'grpo',
          steps: options.repairSteps,
          tasksPerStep: 16,
          optimizer: adamw(3e-4),
        }),
      )
      await card.measureRepair()
      return card.finish()
    } finally {
      await sandbox.close()
    }
  },
})

/** Most tokens of an answer: the longest reference solution has 110. */
const maxTokens = 128

function muon(learningRate: number, adamwLearningRate: number) {
  return {
    kind: 'muon' as const,
    learningRate,
    adamwLearningRate,
    schedule: 'linear' as const,
    warmupSteps: 20,
    finalShare: 0.05,
  }
}

function adamw(learningRate: number) {
  return { learningRate, warmupSteps: 2 }
}
