import type { TrainableModel } from '../engine/index.ts'

/** The trained parameters of a model as one vector, by name and then row by row. Shapes: [N]. */
export interface ParameterVector {
  readonly size: number
  /** Euclidean length of what `read` gave last. */
  readonly norm: number
  /** Takes the parameters as they are for the origin. */
  read(): Promise<void>
  /** Moves the model to the origin plus a change; to the origin itself, bit by bit, without one. */
  move(change?: Float64Array, scale?: number): Promise<void>
  /** The gradient that the model has gathered, which is cleared. */
  takeGradient(): Promise<Float64Array>
}

export async function parameterVector(model: TrainableModel): Promise<ParameterVector> {
  const all = await model.parameterNames()
  const adapter = all.filter((name) => name.includes('.lora_'))
  const names = adapter.length > 0 ? adapter : all
  let origin: Float32Array[] = []
  const size = model.info.trainedParameters
  let norm = 0
  return {
    size,
    get norm() {
      return norm
    },
    async read() {
      origin = []
      for (const name of names) origin.push(await model.parameter(name))
      const found = origin.reduce((sum, { length }) => sum + length, 0)
      if (found !== size)
        throw new Error(`the model trains ${size} parameters, but those known by name have ${found} elements`)
      norm = Math.sqrt(origin.reduce((sum, part) => sum + part.reduce((squares, x) => squares + x * x, 0), 0))
    },
    async move(change, scale = 1) {
      let from = 0
      for (const [index, name] of names.entries()) {
        const part = origin[index]!
        const start = from
        await model.setParameter(
          name,
          change ? part.map((value, k) => value + scale * change[start + k]!) : part,
        )
        from += part.length
      }
    },
    async takeGradient() {
      const gradient = new Float64Array(size)
      let from = 0
      for (const name of names) {
        const part = await model.gradient(name)
        gradient.set(part, from)
        from += part.length
      }
      await model.zeroGradients()
      return gradient
    },
  }
}
