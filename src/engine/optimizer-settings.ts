import { checkNames, checkNumber } from './check-arguments.ts'
import { EngineError } from './engine-error.ts'
import type { AdamWStep, MuonStep } from './model.ts'
import type { NativeOptimizer } from './native-model.ts'
import { shown } from './shown.ts'

const ADAMW = ['learningRate', 'beta1', 'beta2', 'epsilon', 'weightDecay']
const KNOWN = {
  adamw: ['kind', 'maxGradientNorm', ...ADAMW],
  muon: ['kind', 'maxGradientNorm', 'learningRate', 'momentum', 'weightDecay', 'adamw'],
}

/** An optimiser step as the engine takes it. Errors: a setting that is unknown or out of its range, named with its value. */
export function optimizerSettings(step: AdamWStep | MuonStep): NativeOptimizer {
  const kind = (step as AdamWStep | undefined)?.kind ?? 'adamw'
  if (!Object.hasOwn(KNOWN, kind))
    throw new EngineError(`optimStep: kind is ${shown(kind)}; it must be 'adamw' or 'muon'`)
  checkNames('optimStep', step, KNOWN[kind])
  const { maxGradientNorm = 1 } = step
  checkNumber('optimStep: maxGradientNorm', maxGradientNorm, { minimum: 0 })
  if (step.kind !== 'muon') return { ...adamwSettings('', step), maxNorm: maxGradientNorm }
  const { learningRate, momentum = 0.95, weightDecay = 0, adamw } = step
  checkNumber('optimStep: learningRate', learningRate, { minimum: 0 })
  checkNumber('optimStep: momentum', momentum, { minimum: 0, maximum: 1, below: true })
  checkNumber('optimStep: weightDecay', weightDecay, { minimum: 0 })
  checkNames('optimStep: adamw', adamw, ADAMW)
  return {
    ...adamwSettings('adamw.', adamw),
    maxNorm: maxGradientNorm,
    muonLearningRate: learningRate,
    muonMomentum: momentum,
    muonWeightDecay: weightDecay,
  }
}

function adamwSettings(prefix: string, settings: MuonStep['adamw']) {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = settings
  checkNumber(`optimStep: ${prefix}learningRate`, learningRate, { minimum: 0 })
  checkNumber(`optimStep: ${prefix}beta1`, beta1, { minimum: 0, maximum: 1, below: true })
  checkNumber(`optimStep: ${prefix}beta2`, beta2, { minimum: 0, maximum: 1, below: true })
  checkNumber(`optimStep: ${prefix}epsilon`, epsilon, { minimum: 0, above: true })
  checkNumber(`optimStep: ${prefix}weightDecay`, weightDecay, { minimum: 0 })
  return { learningRate, beta1, beta2, epsilon, weightDecay }
}
