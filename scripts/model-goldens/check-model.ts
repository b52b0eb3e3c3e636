import { basename, join } from 'node:path'
import type { Example, Loss } from '../../src/engine/contract.ts'
import type { GoldenResult, LoadGoldenModel } from './golden-model.ts'
import { readSafetensors, type Tensor } from './read-safetensors.ts'
import { worstRelativeError } from './worst-error.ts'

interface CotangentExample extends Example {
  cotangents: Float32Array[]
}

/** The scalar whose gradients the goldens hold: the sum of logprob x cotangent. */
const weightedLogprobs: Loss<CotangentExample> = ({ cotangents }, outputs) => ({
  loss: outputs.reduce(
    (sum, { logprobs }, row) =>
      sum + logprobs.reduce((rowSum, logprob, at) => rowSum + logprob * (cotangents[row]?.[at] ?? 0), 0),
    0,
  ),
  gradients: cotangents.map((logprobs) => ({ logprobs })),
  metrics: {},
})

/** Compares a model folder with its `expected.safetensors`: logprobs, entropy, every parameter's gradient. */
export async function checkModelFolder(directory: string, load: LoadGoldenModel): Promise<GoldenResult> {
  const expected = readSafetensors(join(directory, 'expected.safetensors'))
  const rows = sequencesOf(expected)
  const sequences = rows.map(({ input, target }) => ({ input, target }))
  const model = await load(directory)
  const outputs = await model.forward(sequences, { entropy: true })
  const worst = (values: number[]) => values.reduce((a, b) => Math.max(a, b), 0)

  const trainable = await model.trainable({ full: true })
  const examples = rows.map(({ input, target, cotangent }) => ({
    sequences: [{ input, target }],
    cotangents: [cotangent],
  }))
  await trainable.forwardBackward(examples, weightedLogprobs)
  const gradients = [...expected].filter(([name]) => name.startsWith('grad.'))
  if (rows.length === 0 || gradients.length === 0)
    throw new Error('expected.safetensors has no sequences or no gradients')
  const gradientErrors: number[] = []
  for (const [name, { data }] of gradients)
    gradientErrors.push(worstRelativeError(await trainable.gradient(name.slice('grad.'.length)), data))
  return {
    name: basename(directory),
    errors: {
      logprobs: worst(
        rows.map(({ logprobs }, row) => worstRelativeError(outputs[row]?.logprobs ?? [], logprobs)),
      ),
      entropy: worst(
        rows.map(({ entropy }, row) => worstRelativeError(outputs[row]?.entropy ?? [], entropy)),
      ),
      gradients: worst(gradientErrors),
    },
    failures: [],
  }
}

function sequencesOf(tensors: Map<string, Tensor>) {
  const rows = []
  for (let row = 0; tensors.has(`sequence.${row}.input`); row++) {
    const part = <T extends Float32Array | Int32Array>(name: string, Type: new (length: number) => T): T => {
      const data = tensors.get(`sequence.${row}.${name}`)?.data
      if (data instanceof Type) return data
      throw new Error(`expected.safetensors has no usable sequence.${row}.${name}`)
    }
    rows.push({
      input: part('input', Int32Array),
      target: part('target', Int32Array),
      logprobs: part('logprobs', Float32Array),
      entropy: part('entropy', Float32Array),
      cotangent: part('cotangent', Float32Array),
    })
  }
  return rows
}
