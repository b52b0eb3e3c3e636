/**
 * From nothing to a model that writes small functions, in minutes on a laptop: tokenizer, pretraining on code and its description,
 * fine-tuning to answer questions and to call a tool, a preference stage on groups of its own answers, reinforcement learning on hidden
 * tests, and repair: reinforcement learning on a try, a call of the tool that runs the visible tests, and a second try after reading
 * which failed. After each stage the same held-out tasks are measured; their combinations of operations occur in no training task.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { createPolicy } from '../../rollouts/index.ts'
import { defineRun } from '../../runs/index.ts'
import { createSandbox, rememberVerdicts } from '../../sandbox/index.ts'
import { groupPreference, policyGradient, pretrain, sft } from '../../trainers/index.ts'
import { answerRollout } from '../answer-rollout.ts'
import { createCodeCard } from '../code-card.ts'
import { repairRollout } from '../repair-rollout.ts'
import { rolloutTasks } from '../rollout-tasks.ts'
import { runTestsCall } from '../run-tests-tool.ts'
import { runToEnd } from '../run-to-end.ts'
import { sayNowAndThen } from '../say-now-and-then.ts'
import { sha256Of } from '../sha256-of.ts'
import { codeTasks, documentOf } from './code-tasks.ts'
import { instruction } from './instruction.ts'
import { measureRepair } from './measure-repair.ts'
import { tinyModel, tinyTokenizer } from './tiny-model.ts'

const steps = (count: number) => z.int().min(1).default(count)

export default defineRun({
  name: 'tiny-code',
  seed: 1,
  options: {
    pretrainSteps: steps(250),
    sftSteps: steps(300),
    preferenceSteps: steps(10),
    grpoSteps: steps(22),
    repairSteps: steps(5),
    heldOut: steps(100),
    samples: steps(10),
  },
  async train({ run, options, log }) {
    const { heldOut, samples } = options
    const tasks = codeTasks(run.seed, {
      read: 4000,
      instructed: 3000,
      practised: 1600,
      heldOut,
    })
    await run.dataset('tasks', sha256Of(tasks))
    const sandbox = rememberVerdicts(await createSandbox())
    try {
      const documents = tasks.read.map(documentOf)
      const conversations = await run.once('instruction', () => instruction(sandbox, tasks.instructed))
      const words = conversations.flatMap(({ messages, tools }) => [
        ...messages.map(({ content }) => content),
        ...(tools ? [runTestsCall] : []),
      ])
      const tokenizer = await tinyTokenizer([...documents, ...words])
      const model = await tinyModel(tokenizer, run.seed)
      const policy = createPolicy(model, { maxTokens })
      const held = {
        name: '',
        tasks: tasks.heldOut,
        samples,
        temperature: 1,
        maxTokens,
        prompting: 'chat' as const,
      }
      const card = createCodeCard({ run, model, sandbox, benchmarks: [held], log })
      const onTests = {
        policy,
        run,
        tasks: rolloutTasks(tasks.practised),
        rollout: answerRollout(sandbox, { maxTokens }),
        tasksPerStep,
        groupSize,
        concurrency: tasksPerStep * groupSize,
        optimizer: { learningRate: 1e-4, warmupSteps: 2, beta2: 0.99 },
      }
      await runToEnd(
        pretrain({ model, documents, run, steps: options.pretrainSteps, optimizer: muon(0.02, 3e-3) }),
      )
      await card.measure('pretrain', { prompting: 'completion' })

      const batch = { examples: 16 }
      await runToEnd(
        sft({
          model,
          examples: conversations,
          answers: 'last',
          run,
          steps: options.sftSteps,
          batch,
          optimizer: muon(0.01, 1e-3),
        }),
      )
      await card.measure('sft')

      await runToEnd(
        groupPreference({
          ...onTests,
          algorithm: preference,
          steps: options.preferenceSteps,
          optimizer: { learningRate: 2e-4, warmupSteps: 2, beta2: 0.99 },
        }),
      )
      await card.measure('preference', { shownAs: preference })

      await runToEnd(
        policyGradient({
          ...onTests,
          algorithm: 'grpo',
          // At 6e-4 the third step took the reward from 0.64 to 0.09: AdamW knows little yet of how far its gradients scatter.
          kl: { coefficient: 0.01 },
          steps: options.grpoSteps,
          optimizer: {
            learningRate: 2.5e-4,
            schedule: 'linear',
            warmupSteps: 4,
            finalShare: 0.1,
            beta2: 0.99,
          },
        }),
      )
      await card.measure('grpo')

      await runToEnd(
        policyGradient({
          ...onTests,
          name: 'repair',
          algorithm: 'grpo',
          rollout: repairRollout(sandbox, { maxTokens: maxTokensWithCall }),
          // Without a KL, groups whose rewards are equal, which are most, need not go through the model: a third of the stage's time.
          steps: options.repairSteps,
        }),
      )
      const repaired = await run.once('repair', async () => {
        await model.saveWeights(join(run.directory, 'models', 'repair'))
        return measureRepair({
          policy,
          sandbox,
          tasks: tasks.heldOut,
          samples,
          maxTokens: maxTokensWithCall,
          seed: run.seed,
          onProgress: sayNowAndThen('repair: measuring two tries', log),
        })
      })
      card.keep('repair', repaired.values, repaired.answers)
      return card.finish([
        'A sample of the repair stage is up to two tries: the second is made after reading which visible test failed.',
      ])
    } finally {
      await sandbox.close()
    }
  },
})

/** The algorithm of the preference stage, which progress and curves name. */
const preference = 'gdpo-contrast'
/** Of a step that learns from tests; all its answers are in flight at once. */
const tasksPerStep = 32
const groupSize = 8
/** Most tokens of an answer: the longest solution has 190. */
const maxTokens = 192
/** With the call of a tool after it. */
const maxTokensWithCall = 216

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
