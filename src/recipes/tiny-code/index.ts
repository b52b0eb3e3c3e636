/**
 * From nothing to a model that writes small functions, in minutes on a laptop: tokenizer, pretraining on code and its description,
 * fine-tuning to answer questions and to call a tool, a preference stage on groups of its own answers, reinforcement learning on hidden
 * tests, and repair: a try, a call of the tool that runs the visible tests, and a second try after reading which failed, learnt from its own
 * rollouts. After each stage the same held-out tasks are measured;
 * their combinations of operations occur in no training task.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { createPolicy } from '../../rollouts/index.ts'
import { defineRun } from '../../runs/index.ts'
import { createSandbox } from '../../sandbox/index.ts'
import { groupPreference, policyGradient, pretrain, sft } from '../../trainers/index.ts'
import { answerRollout } from '../answer-rollout.ts'
import { createCodeCard } from '../code-card.ts'
import { conversationOf } from '../conversation-of.ts'
import { repairDemonstrations } from '../repair-demonstrations.ts'
import { rolloutTasks } from '../rollout-tasks.ts'
import { callingTests, runTestsCall } from '../run-tests-tool.ts'
import { runToEnd } from '../run-to-end.ts'
import { sayNowAndThen } from '../say-now-and-then.ts'
import { sha256Of } from '../sha256-of.ts'
import { codeTasks, documentOf } from './code-tasks.ts'
import { measureRepair } from './measure-repair.ts'
import { tinyModel, tinyTokenizer } from './tiny-model.ts'

const steps = (count: number) => z.int().min(1).default(count)

export default defineRun({
  name: 'tiny-code',
  seed: 1,
  options: {
    pretrainSteps: steps(260),
    sftSteps: steps(300),
    preferenceSteps: steps(12),
    grpoSteps: steps(30),
    repairSteps: steps(40),
    /** Tasks of the repair stage. */
    mended: steps(1200),
    heldOut: steps(100),
    samples: steps(10),
  },
  async train({ run, options, log }) {
    const { heldOut, samples } = options
    const tasks = codeTasks(run.seed, {
      read: 4000,
      instructed: 3000,
      practised: 800,
      mended: options.mended,
      heldOut,
    })
    await run.dataset('tasks', sha256Of(tasks))
    const documents = tasks.read.map(documentOf)
    const conversations = tasks.instructed.map((task, index) =>
      index % 2 === 0 ? conversationOf(task) : callingTests(conversationOf(task)),
    )
    const words = conversations.flatMap(({ messages, tools }) => [
      ...messages.map(({ content }) => content),
      ...(tools ? [runTestsCall] : []),
    ])
    const tokenizer = await tinyTokenizer([...documents, ...words])
    const model = await tinyModel(tokenizer, run.seed)
    const policy = createPolicy(model, { maxTokens })
    const sandbox = await createSandbox()
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
      tasksPerStep: 32,
      optimizer: { learningRate: 1e-4, warmupSteps: 2, beta2: 0.99 },
    }
    try {
      await runToEnd(
        pretrain({ model, documents, run, steps: options.pretrainSteps, optimizer: muon(0.02, 3e-3) }),
      )
      await card.measure('pretrain', { prompting: 'completion' })

      const batch = { examples: 16 }
      await runToEnd(
        sft({
          model,
          examples: conversations,
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
          algorithm: 'gdpo-contrast',
          steps: options.preferenceSteps,
        }),
      )
      await card.measure('preference')

      await runToEnd(
        policyGradient({
          ...onTests,
          algorithm: 'grpo',
          kl: { coefficient: 0.01 },
          steps: options.grpoSteps,
        }),
      )
      await card.measure('grpo')

      const examples = await run.once('demonstrations', () =>
        repairDemonstrations(policy, sandbox, tasks.mended, {
          samples: 2,
          maxTokens: maxTokensWithCall,
          rightPerRepair: 3,
          seed: run.seed,
          onProgress: sayNowAndThen('repair: two tries at each task', log),
        }),
      )
      if (examples.length === 0) log('repair: no try failed its visible tests, so there is nothing to mend')
      else
        await runToEnd(
          sft({
            name: 'repair',
            model,
            examples,
            answers: 'last',
            run,
            steps: options.repairSteps,
            batch,
            optimizer: { learningRate: 5e-5, schedule: 'linear', warmupSteps: 5, finalShare: 0.05 },
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
