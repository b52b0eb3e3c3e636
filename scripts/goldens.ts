/**
 * Checks the engine and the losses against golden values.
 *
 *   npm run goldens -- DIR [--precision f32|bf16]
 *
 * DIR holds `models/` (folders with config, weights and expected.safetensors: logprobs, entropy, every parameter's gradient),
 * `losses/` and `smollm2-135m.json`, or is a folder of model folders. Prints the worst relative error of each (difference over the
 * array's largest magnitude) and exits 1 where one is above 1e-4, or where nothing is found.
 */
import { parseArgs } from 'node:util'
import { loadModel, type Precision } from '../src/engine/index.ts'
import { runGoldens } from './model-goldens/run-goldens.ts'

const usage = 'usage: npm run goldens -- DIR [--precision f32|bf16]'

function parse(): { directory: string; precision: Precision } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { precision: { type: 'string', default: 'f32' } },
  })
  const [directory, ...rest] = positionals
  if (directory === undefined || rest.length > 0) throw new Error('give one folder')
  if (values.precision !== 'f32' && values.precision !== 'bf16')
    throw new Error(`--precision is ${values.precision}; it must be f32 or bf16`)
  return { directory, precision: values.precision }
}

let asked: ReturnType<typeof parse>
try {
  asked = parse()
} catch (error) {
  console.error(`${(error as Error).message}\n${usage}`)
  process.exit(2)
}
try {
  const { directory, precision } = asked
  const onProgress = (progress: { kind: string; message?: string }) =>
    progress.kind === 'notice' && console.error(progress.message)
  const passed = await runGoldens(
    directory,
    (name) => loadModel(name, { precision, onProgress }),
    console.log,
  )
  process.exitCode = passed ? 0 : 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
