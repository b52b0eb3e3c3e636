/** Samples of one prompt together, each to the full length: node bench/engine/sample.ts bf16|f32 [repetitions] */
import { loadModel } from '../../src/engine/index.ts'
import { modelPath, precisionArgument, print, repetitions, time, workload } from './workload.ts'

const model = await loadModel(modelPath, { precision: precisionArgument() })
const { samples: n, newTokens: maxTokens, temperature, prompt } = workload.sampling
let seed = 0
const sample = async () => {
  const drawn = await model.sample({ prompt, n, maxTokens, temperature, seed: seed++, stopTokens: [] })
  const short = drawn.filter((one) => one.tokens.length !== maxTokens)
  if (drawn.length !== n || short.length > 0)
    throw new Error(
      `asked for ${n} samples of ${maxTokens} tokens; got ${drawn.length}, ${short.length} of them shorter`,
    )
}
print({ tokens: n * maxTokens, seconds: await time(sample, 1, repetitions(3)) })
