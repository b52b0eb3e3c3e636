// An agent of the AI SDK with a tool, trained by changing one line: its model.   node examples/train-an-agent.ts
import { type LanguageModel, ToolLoopAgent, tool } from 'ai'
import { seededRandom } from 'whetstone/data'
import { createPolicy } from 'whetstone/rollouts'
import { grpo } from 'whetstone/trainers'
import { z } from 'zod'
import { agentModel, places, things } from './shared/agent-model.ts'

/** The agent as it was before anybody thought of training it. */
function agent(model: LanguageModel, place: string) {
  const inputSchema = z.object({ thing: z.string() })
  const find = tool({ description: 'Finds a thing.', inputSchema, execute: async () => place })
  return new ToolLoopAgent({ model, tools: { find } })
}

const base = await agentModel()
const policy = createPolicy(await base.trainable({ full: true }), { maxTokens: 64 })

for await (const { step, metrics, rollouts } of grpo({
  policy,
  tasks: things.map((thing) => ({ id: thing, task: thing })),
  async rollout({ model, task, signal, seed }) {
    const place = seededRandom(seed).pick(places)
    // The one line: `model` is the policy, where there was a provider's model before.
    const helper = agent(model, place)
    const { text } = await helper.generate({ prompt: `Where is the ${task}?`, abortSignal: signal })
    return text === place ? 1 : 0
  },
  groupSize: 12,
  reference: base,
  kl: { coefficient: 0.02 },
  optimizer: { learningRate: 0.0005, schedule: 'linear' },
  steps: Number(process.env.STEPS ?? 12),
})) {
  const looked = rollouts?.filter((rollout) => JSON.stringify(rollout).includes('"toolCalls":[{')).length
  const right = `${(100 * metrics.reward!).toFixed(0)} % right`
  console.log(`step ${step + 1}: ${right}, ${looked} of ${rollouts?.length} looked first`)
}
