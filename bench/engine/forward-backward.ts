/** Forward and backward of every parameter over the training rows: node bench/engine/forward-backward.ts bf16|f32 [repetitions] */
import { loadModel } from '../../src/engine/index.ts'
import {
  crossEntropy,
  modelPath,
  precisionArgument,
  print,
  repetitions,
  time,
  trainingRows,
} from './workload.ts'

const precision = precisionArgument()
const model = await (await loadModel(modelPath, { precision })).trainable({ full: true })
const rows = trainingRows()
const tokens = rows.reduce((sum, row) => sum + row.input.length, 0)
const examples = rows.map((row) => ({ sequences: [row] }))
const loss = crossEntropy(tokens)
const step = async () => {
  await model.zeroGradients()
  await model.forwardBackward(examples, loss)
}
print({ tokens, seconds: await time(step, 2, repetitions(7)) })
