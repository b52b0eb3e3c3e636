/**
 * Forward and backward of a group of 8 answers of 64 tokens to one prompt of 512, the prompt computed once or eight times:
 * node bench/engine/prefix-sharing.ts bf16|f32 [repetitions] [separate]
 */
import { loadModel } from '../../src/engine/index.ts'
import { crossEntropy, modelPath, precisionArgument, print, repetitions, time, token } from './workload.ts'

const group = 8
const promptTokens = 512
const answerTokens = 64
const precision = precisionArgument()
const sharePrefixes = process.argv[4] !== 'separate'
const model = await (await loadModel(modelPath, { precision })).trainable({ full: true })

const length = promptTokens + answerTokens
const rows = Array.from({ length: group }, (_, answer) => {
  const ids = Int32Array.from({ length: length + 1 }, (_, i) => token(i < promptTokens ? 0 : answer + 1, i))
  // Only the answer is asked about, as in training on samples; its first token follows the prompt's last.
  const target = ids.slice(1).map((id, i) => (i < promptTokens - 1 ? -1 : id))
  return { input: ids.slice(0, length), target }
})
const loss = crossEntropy(group * (answerTokens + 1))
const step = async () => {
  await model.zeroGradients()
  await model.forwardBackward([{ sequences: rows }], loss, { sharePrefixes })
}
print({ tokens: group * length, seconds: await time(step, 1, repetitions(3)) })
