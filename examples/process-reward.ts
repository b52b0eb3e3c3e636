// A process reward model: which steps of a solution are right, and the best of several.   node examples/process-reward.ts
import { seededRandom } from 'whetstone/data'
import { bestOfN, measureSteps, processReward } from 'whetstone/trainers'
import { tinyModel } from './shared/tiny-model.ts'

/** Says of numbers whether they are odd; a step whose label is false says it wrongly. */
function solution(numbers: number[], labels = numbers.map(() => true)) {
  const oddity = (number: number, right: boolean) => ((number % 2 === 1) === right ? 'odd' : 'even')
  const steps = numbers.map((number, step) => `${number} is ${oddity(number, labels[step]!)}`)
  return { prompt: [{ role: 'user' as const, content: 'Odd or even?' }], steps, labels }
}
const { integer, next } = seededRandom('process-reward')
const drawn = () =>
  solution([integer(0, 9), integer(0, 9), integer(0, 9)], [next() < 0.7, next() < 0.7, next() < 0.7])
const [train, heldOut] = [Array.from({ length: 80 }, drawn), Array.from({ length: 20 }, drawn)]

const model = await (await tinyModel()).trainable({ full: true }, 'value')
for await (const report of processReward({
  model,
  solutions: train,
  optimizer: { learningRate: 0.005, warmupSteps: 5 },
  batch: { examples: 25 },
  steps: Number(process.env.STEPS ?? 120),
  evaluate: { every: 40, measure: () => measureSteps(model, heldOut) },
}))
  if (report.evaluation)
    console.log(
      `step ${report.step + 1}: judges ${(100 * report.evaluation.accuracy!).toFixed(0)} % as labelled`,
    )

const [right, wrong] = [solution([4, 7, 8]), solution([4, 7, 8], [true, false, true])]
const answers = [wrong, right, solution([4, 7, 8], [true, true, false])].map(({ steps }) =>
  steps.join('\n\n'),
)
const { best, scores } = await bestOfN(model, right.prompt, answers)
console.log(`all steps right, by answer: ${scores.map((score) => score.toFixed(2)).join(' ')}`)
console.log(`the best:\n${answers[best]}`)
