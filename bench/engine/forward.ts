/** Log-probabilities of the training rows without gradients: node bench/engine/forward.ts bf16|f32 [repetitions] */
import { loadModel } from '../../src/engine/index.ts'
import { modelPath, precisionArgument, print, repetitions, time, trainingRows } from './workload.ts'

const model = await loadModel(modelPath, { precision: precisionArgument() })
const rows = trainingRows()
const tokens = rows.reduce((sum, row) => sum + row.input.length, 0)
print({ tokens, seconds: await time(() => model.forward(rows), 2, repetitions(9)) })
