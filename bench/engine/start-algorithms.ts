/** Writes the model from which every algorithm of the bench starts: node bench/engine/start-algorithms.ts FOLDER [steps] */
import { passRate, startingModel } from './reverse-task.ts'
import { print } from './workload.ts'

const [folder, steps = '200'] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node bench/engine/start-algorithms.ts FOLDER [steps]')
  process.exit(2)
}
const model = await startingModel(Number(steps))
await model.saveWeights(folder)
print({ pass: await passRate(model) })
