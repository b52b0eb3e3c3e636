// Pretraining from nothing: a tiny model learns to write sentences of a small grammar.   node examples/pretrain.ts
import { encodeDocument, measureLoss, pretrain, tokensPerSecond } from 'whetstone/trainers'
import { tinyModel } from './shared/tiny-model.ts'

const animals = ['fox', 'hen', 'cow', 'dog', 'cat']
const colours = ['red', 'grey', 'black', 'white']
const places = ['on the hill', 'by the river', 'in the barn']
const documents = animals.flatMap((animal, i) =>
  colours.flatMap((colour, j) =>
    places.map(
      (place, k) => `The ${colour} ${animal} sleeps ${place}, and the ${animals[(i + j + k) % 5]} sings.`,
    ),
  ),
)
/** Every sixth sentence is kept from training. */
const heldOut = documents.filter((_, i) => i % 6 === 0)

const model = await (await tinyModel()).trainable({ full: true })
const examples = heldOut.flatMap((text) => encodeDocument(model.tokenizer, text, model.info.context))

for await (const report of pretrain({
  model,
  documents: documents.filter((_, i) => i % 6 !== 0),
  optimizer: { learningRate: 0.01, schedule: 'cosine', warmupSteps: 5 },
  batch: { tokens: 1024 },
  steps: Number(process.env.STEPS ?? 60),
  evaluate: { every: 20, measure: () => measureLoss(model, examples) },
}))
  if (report.evaluation)
    console.log(
      `step ${report.step + 1}: held-out perplexity ${report.evaluation.perplexity!.toFixed(2)} (a byte), ` +
        `${Math.round(tokensPerSecond(report))} tokens/s`,
    )

const prompt = model.tokenizer.encode('The red ')
for (const sample of await model.sample({ prompt, n: 3, maxTokens: 60, temperature: 0.7 }))
  console.log(`The red ${sample.text}`)
