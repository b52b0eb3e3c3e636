/**
 * A real model on the same ground: SmolLM2-135M-Instruct, an adapter on its weights, learns to write small Python functions. It answers
 * next to none of the tasks at first, so that rewards alone would have nothing to choose from: a short fine-tuning on solutions, and on
 * its own answers to other questions, opens the way, and GRPO on hidden tests goes on from there. Held-out tasks and HumanEval are measured before and after.
 */
import { z } from 'zod'
import { generateTasks, loadTasks } from '../../data/index.ts'
import { loadModel } from '../../engine/index.ts'
import { createPolicy } from '../../rollouts/index.ts'
import { defineRun } from '../../runs/index.ts'
import { createSandbox, rememberVerdicts } from '../../sandbox/index.ts'
import { policyGradient, sft } from '../../trainers/index.ts'
import { answerRollout } from '../answer-rollout.ts'
import { createCodeCard } from '../code-card.ts'
import { conversationOf } from '../conversation-of.ts'
import { rolloutTasks } from '../rollout-tasks.ts'
import { runToEnd } from '../run-to-end.ts'
import { sha256Of } from '../sha256-of.ts'
import { rehearsal } from './rehearsal.ts'

const count = (value: number) => z.int().min(1).default(value)

export default defineRun({
  name: 'smollm2-code',
  seed: 1,
  options: {
    model: z.string().default('smollm2-135m'),
    sftSteps: count(60),
    /** Questions that the model answers in its own way and learns to go on answering so, next to what is new. */
    rehearsed: count(280),
    grpoSteps: count(10),
    /** Tasks of a step of GRPO, four answers each. */
    tasksPerStep: count(64),
    heldOut: count(100),
    heldOutSamples: count(10),
    /** Tasks of HumanEval, from the first; 0 leaves it out. */
    humanEval: z.int().min(0).max(164).default(164),
    humanEvalSamples: count(10),
  },
  async train({ run, options, log }) {
    const family = {
      languages: ['python' as const],
      inputs: ['integers' as const],
      levels: [1, 2],
      examples: false,
    }
    const shown = generateTasks({ ...family, seed: run.seed * 2, count: 900, split: 'train' })
    // Their combinations of operations were not shown: on those that were, rewards are high already and teach little of others.
    const practised = generateTasks({ ...family, seed: run.seed * 2 + 1, count: 800, split: 'validation' })
    const heldOut = generateTasks({
      ...family,
      seed: run.seed,
      count: options.heldOut,
      split: 'held-out',
      perCombination: 1,
    })
    await run.dataset('tasks', sha256Of([shown, practised, heldOut]))
    log(`loading ${options.model}`)
    const base = await loadModel(options.model)
    const model = await base.trainable({ lora: { rank: 32, alpha: 64, seed: run.seed } })
    const policy = createPolicy(model, { maxTokens })
    const sandbox = rememberVerdicts(await createSandbox())
    const benchmarks = [
      {
        name: '',
        tasks: heldOut,
        samples: options.heldOutSamples,
        temperature: 0.6,
        maxTokens,
        prompting: 'chat' as const,
      },
      {
        name: 'HumanEval ',
        tasks:
          options.humanEval === 0 ? [] : (await loadTasks('humaneval')).tasks.slice(0, options.humanEval),
        samples: options.humanEvalSamples,
        temperature: 0.6,
        maxTokens: 192,
        prompting: 'chat' as const,
      },
    ].filter(({ tasks }) => tasks.length > 0)
    const card = createCodeCard({ run, model, sandbox, benchmarks, log })
    try {
      await card.measure('before')
      const own = await run.once('rehearsal', () =>
        rehearsal(base, { count: options.rehearsed, maxTokens: 192, seed: run.seed, log }),
      )
      await runToEnd(
        sft({
          model,
          examples: [...shown.map(conversationOf), ...own],
          run,
          steps: options.sftSteps,
          batch: { examples: 16 },
          optimizer: { learningRate: 5e-4, schedule: 'linear', warmupSteps: 3, finalShare: 0.1 },
        }),
      )
      await card.measure('sft', { names: [''] })
      await runToEnd(
        policyGradient({
          algorithm: 'grpo',
          policy,
          tasks: rolloutTasks(practised),
          rollout: answerRollout(sandbox, { maxTokens }),
          run,
          steps: options.grpoSteps,
          // No KL: at these steps it stays below a hundredth of a nat, and seven groups of ten, whose rewards are equal, need not be trained on.
          // Many tasks and small steps: 16 tasks of 8 answers at 1e-4 took a third of the held-out pass@1 in seven steps.
          tasksPerStep: options.tasksPerStep,
          groupSize: 4,
          optimizer: {
            learningRate: 6e-5,
            schedule: 'linear',
            warmupSteps: 4,
            finalShare: 0.1,
            beta2: 0.99,
          },
        }),
      )
      await card.measure('grpo')
      return card.finish()
    } finally {
      await sandbox.close()
    }
  },
})

/** Most tokens of an answer. */
const maxTokens = 128
