// A reward model, and an ensemble of three, from preferences for polite answers.   node examples/reward-model.ts
import { measureRanking, rewardEnsemble, scoreWithEnsemble, tokensToScore } from 'whetstone/trainers'
import { tinyModel } from './shared/tiny-model.ts'

const things = ['salt', 'book', 'time', 'name', 'news', 'road', 'rule', 'song', 'word', 'work']
const say = (content: string) => [{ role: 'assistant' as const, content }]
const pairs = things.map((thing, i) => ({
  prompt: [{ role: 'user' as const, content: `What about the ${thing}?` }],
  chosen: say(i % 2 ? `Please have the ${thing}.` : `The ${thing}, please.`),
  rejected: say(i % 2 ? `Go get the ${thing}.` : `The ${thing}, you fool.`),
}))
const [train, heldOut] = [pairs.slice(0, 7), pairs.slice(7)]

// One base, three adapters with value heads; each learns from pairs drawn with replacement.
const base = await tinyModel()
const adapter = (seed: number) => base.trainable({ lora: { rank: 8, seed } }, 'value')
const members = [await adapter(1), await adapter(2), await adapter(3)]
for await (const report of rewardEnsemble({
  members,
  pairs: train,
  optimizer: { learningRate: 0.01 },
  batch: { examples: 7 },
  steps: Number(process.env.STEPS ?? 30),
}))
  if (report.step + 1 === report.steps)
    console.log(
      `${report.stage}: ranks ${Math.round(100 * report.metrics.accuracy!)} % of a batch as labelled`,
    )

for (const member of members) console.log('held out:', await measureRanking(member, heldOut))
const texts = ['The word, please.', 'The word, you fool.', 'qwertyuiop']
const sequences = texts.map((content) =>
  tokensToScore(base.tokenizer, { messages: [...pairs[0]!.prompt, ...say(content)] }),
)
const { scores, spread } = await scoreWithEnsemble(members, sequences, { combine: 'mean-minus-std' })
for (const [i, text] of texts.entries())
  console.log(`${scores[i]!.toFixed(2)} (members differ by ${spread[i]!.toFixed(2)}): ${text}`)
