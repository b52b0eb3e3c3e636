/**
 * Peak resident memory of a fresh process that takes AdamW steps on the training rows:
 * node bench/engine/train-step-memory.ts bf16|f32
 *
 * `baselineBytes` is what the process held before the model was loaded: Node and the addon.
 */
import { loadModel } from '../../src/engine/index.ts'
import { crossEntropy, memory, modelPath, precisionArgument, print, trainingRows } from './workload.ts'

const precision = precisionArgument()
const baselineBytes = memory('VmRSS')
const model = await (await loadModel(modelPath, { precision })).trainable({ full: true })
const rows = trainingRows()
const loss = crossEntropy(rows.reduce((sum, row) => sum + row.input.length, 0))
// Two steps: from the second on, gradients, moments and activations exist together.
for (let step = 0; step < 2; step++) {
  await model.forwardBackward(
    rows.map((row) => ({ sequences: [row] })),
    loss,
  )
  await model.optimStep({ kind: 'adamw', learningRate: 1e-5 })
}
print({ peakBytes: memory('VmHWM'), baselineBytes })
