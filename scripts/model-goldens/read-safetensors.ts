import { readFileSync } from 'node:fs'

/** A tensor of a golden file, row-major. */
export interface Tensor {
  shape: number[]
  data: Float32Array | Int32Array
}

/**
 * Reads the F32 and I32 tensors of a small safetensors file, apart from the engine's own reader so that a mistake there cannot hide
 * one here. Errors: a truncated file, another type.
 */
export function readSafetensors(path: string): Map<string, Tensor> {
  const bytes = readFileSync(path)
  if (bytes.length < 8) throw new Error(`${path} is truncated`)
  const headerLength = Number(bytes.readBigUInt64LE(0))
  if (8 + headerLength > bytes.length)
    throw new Error(`${path} is truncated: its header has ${headerLength} bytes`)
  const { __metadata__, ...header } = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength))
  const tensors = new Map<string, Tensor>()
  for (const [name, { dtype, shape, data_offsets }] of Object.entries<{
    dtype: string
    shape: number[]
    data_offsets: [number, number]
  }>(header)) {
    const [start, end] = data_offsets
    const count = shape.reduce((product, size) => product * size, 1)
    if (8 + headerLength + end > bytes.length || end - start !== 4 * count)
      throw new Error(`${path}: ${name} does not lie in the file`)
    const { buffer } = new Uint8Array(bytes.subarray(8 + headerLength + start, 8 + headerLength + end))
    if (dtype === 'F32') tensors.set(name, { shape, data: new Float32Array(buffer) })
    else if (dtype === 'I32') tensors.set(name, { shape, data: new Int32Array(buffer) })
    else throw new Error(`${path}: ${name} is ${dtype}; goldens are F32 and I32`)
  }
  return tensors
}
