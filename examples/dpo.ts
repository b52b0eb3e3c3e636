// Direct preference optimisation on an adapter, its base as the reference.   node examples/dpo.ts
import { dpo, measurePreferences } from 'whetstone/trainers'
import { tinyModel } from './shared/tiny-model.ts'

const cities = ['Rome', 'Oslo', 'Lima', 'Bern', 'Cairo', 'Delhi', 'Paris', 'Quito', 'Tokyo', 'Vienna']
/** Short answers are preferred. */
const pairs = cities.map((city) => ({
  prompt: [{ role: 'user' as const, content: `Where is ${city}?` }],
  chosen: [{ role: 'assistant' as const, content: `In the country of ${city}.` }],
  rejected: [{ role: 'assistant' as const, content: `Well, ${city} is, as one might say, where it is.` }],
}))
const [train, heldOut] = [pairs.slice(0, 7), pairs.slice(7)]

const loss = { id: 'dpo', beta: 0.1, labelSmoothing: 0.05 } as const
const base = await tinyModel()
const model = await base.trainable({ lora: { rank: 8 } })
for await (const report of dpo({
  model,
  reference: base,
  pairs: train,
  loss,
  optimizer: { learningRate: 0.01, warmupSteps: 3 },
  batch: { examples: 7 },
  steps: Number(process.env.STEPS ?? 30),
  evaluate: { every: 10, measure: () => measurePreferences(model, base, heldOut, loss) },
}))
  if (report.evaluation) {
    const { accuracy, margin } = report.evaluation
    console.log(
      `step ${report.step + 1}: held-out accuracy ${accuracy!.toFixed(2)}, margin ${margin!.toFixed(2)}`,
    )
  }
