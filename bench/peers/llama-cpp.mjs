// llama.cpp through node-llama-cpp: samples the workload's prompt, every sample to the full length, and prints one JSON
// line with tokens per second including the prompt, and of decoding alone.
//
// node llama-cpp.mjs bf16|f16|q4_1 [repetitions] [samples]

import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'

const [weights = 'bf16', repetitions = '3', samples] = process.argv.slice(2)
const peers = new URL('../.peers/', import.meta.url)
const { getLlama } = await import(new URL('node/node_modules/node-llama-cpp/dist/index.js', peers).href)
const { sampling } = JSON.parse(await readFile(new URL('../workload.json', import.meta.url), 'utf8'))
const count = Number(samples ?? sampling.samples)

const llama = await getLlama({
  gpu: false,
  build: 'never',
  logLevel: 'error',
  maxThreads: availableParallelism(),
})
const model = await llama.loadModel({
  modelPath: new URL(`weights/smollm2-135m.${weights}.gguf`, peers).pathname,
})

/** Prompts and samples every sequence together; returns when the first tokens and the last tokens were there. */
async function sampleAll(context, seed) {
  const begun = performance.now()
  const firstTokenTimes = []
  const sequences = Array.from({ length: count }, () => context.getSequence())
  await Promise.all(
    sequences.map(async (sequence, index) => {
      // An end token, should one be drawn, is taken for an ordinary one, so that no sample stops early.
      const options = {
        temperature: sampling.temperature,
        topK: 0,
        topP: 1,
        minP: 0,
        seed: seed + index,
        yieldEogToken: true,
      }
      let produced = 0
      for await (const _ of sequence.evaluate(sampling.prompt, options)) {
        if (produced === 0) firstTokenTimes.push(performance.now())
        produced += 1
        if (produced === sampling.newTokens) break
      }
    }),
  )
  const ended = performance.now()
  for (const sequence of sequences) sequence.dispose()
  return { seconds: (ended - begun) / 1000, decodeSeconds: (ended - Math.max(...firstTokenTimes)) / 1000 }
}

const contextSize = sampling.prompt.length + sampling.newTokens + 8
const runs = []
for (let repetition = 0; repetition <= Number(repetitions); repetition++) {
  const context = await model.createContext({
    sequences: count,
    contextSize,
    batchSize: Math.max(512, count),
    threads: { ideal: availableParallelism(), min: availableParallelism() },
    flashAttention: true,
  })
  const run = await sampleAll(context, 1 + repetition * count)
  if (repetition > 0) runs.push(run)
  await context.dispose()
}
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
const tokens = count * sampling.newTokens
const seconds = runs.map((run) => run.seconds)
const decodeTokens = count * (sampling.newTokens - 1)
process.stdout.write(
  `${JSON.stringify({
    tokens,
    seconds,
    tokensPerSecond: tokens / median(seconds),
    decodeTokensPerSecond: decodeTokens / median(runs.map((run) => run.decodeSeconds)),
    weights,
  })}\n`,
)
await llama.dispose()
