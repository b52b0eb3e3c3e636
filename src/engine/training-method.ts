import { checkInteger, checkNames, checkNumber } from './check-arguments.ts'
import { EngineError } from './engine-error.ts'
import type { LoraConfig, TrainingMethod } from './model.ts'
import { shown } from './shown.ts'

const MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
const KNOWN = ['rank', 'alpha', 'targetModules', 'seed']

/** A training method as the engine takes it. Errors: one that there is not, a setting out of its range. */
export function nativeMethod(method: TrainingMethod, head: 'value' | undefined, hiddenSize: number) {
  if (head !== undefined && head !== 'value')
    throw new EngineError(`trainable: the head is ${shown(head)}; it must be 'value' or left out`)
  const valueHead = head === 'value'
  const { full, lora } = (method ?? {}) as { full?: unknown; lora?: LoraConfig }
  if (full === true && lora === undefined) return { valueHead, seed: 0 }
  if (full !== undefined || typeof lora !== 'object' || lora === null)
    throw new EngineError(
      `trainable: the method is ${shown(method)}; it must be { full: true } or { lora: { rank } }`,
    )
  checkNames('trainable: lora', lora, KNOWN)
  const { rank, alpha = rank, targetModules = MODULES, seed = 0 } = lora
  checkInteger('lora.rank', rank, 1, hiddenSize)
  checkNumber('lora.alpha', alpha, { minimum: 0, above: true })
  checkInteger('lora.seed', seed, 0, Number.MAX_SAFE_INTEGER)
  if (
    !Array.isArray(targetModules) ||
    targetModules.length === 0 ||
    targetModules.some((name) => !isText(name))
  )
    throw new EngineError(
      `lora.targetModules is ${shown(targetModules)}; it must be an array of names among ${MODULES.join(', ')}`,
    )
  return { rank, alpha, targets: [...targetModules], valueHead, seed }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
