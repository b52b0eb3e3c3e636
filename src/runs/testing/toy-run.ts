/** The program that the kill test kills: node toy-run.ts DIRECTORY PRETRAIN-STEPS REINFORCE-STEPS, resuming whatever is there; prints the digest. */
import { openRun } from '../index.ts'
import { toyModel, toyPretrain, toyReinforce } from './toy-training.ts'

const [directory, ...steps] = process.argv.slice(2)
const [pretrainSteps, reinforceSteps] = steps.map(Number) as [number, number]
const run = await openRun(directory as string, {
  name: 'toy',
  seed: 7,
  resume: true,
  checkpointEvery: { steps: 2 },
})
const model = await toyModel()
for await (const _ of toyPretrain(model, run, pretrainSteps)) process.stdout.write('.')
const between = await model.sample({ prompt: [116], maxTokens: 4, stopTokens: [] })
await run.once('after-pretrain', async () => [...between[0]!.tokens])
const reference = await model.snapshot()
for await (const _ of toyReinforce(model, run, reinforceSteps)) process.stdout.write('.')
const [end] = await reference.sample({ prompt: [116], maxTokens: 4, stopTokens: [] })
await run.once('reference', async () => [...end!.tokens])
console.log(`\n${await run.finish()}`)
await run.close()
