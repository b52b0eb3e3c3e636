/**
 * Runs the golden vectors of losses, advantages and reward shaping: JSON files, each with an `algorithm` and its `cases`.
 *
 *   node scripts/goldens-losses.ts DIR        DIR holds the JSONs, or a folder `losses` that does
 *
 * Prints the worst relative error of loss, gradient and metrics for each file. Fails above 1e-6 (1e-5 where the file's dtype is
 * float32), and on an algorithm, an expected value or a config option that the project does not know.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { worstError } from './loss-goldens/compare.ts'
import * as estimators from './loss-goldens/estimators.ts'
import type { Adapter, GoldenCase, Inputs } from './loss-goldens/golden-case.ts'
import * as policy from './loss-goldens/policy.ts'
import * as preference from './loss-goldens/preference.ts'
import * as supervised from './loss-goldens/supervised.ts'

const adapters: Record<string, Adapter> = {
  'adaptive-kl-controller': estimators.adaptiveKlController,
  cispo: policy.cispo,
  dapo: policy.dapo,
  doremi: estimators.doremi,
  dpo: preference.dpo,
  'dr-grpo': policy.drGrpo,
  'dual-clip': policy.ppoClip,
  gae: estimators.gaeAdapter,
  'gdpo-contrast': preference.gdpoContrast,
  'gdpo-decoupled': estimators.gdpoDecoupledAdapter,
  'gdpo-listwise': preference.gdpoListwise,
  grpo: policy.grpo,
  'gspo-pairs': preference.gspoPairs,
  'gspo-sequence': policy.gspoSequence,
  'kl-estimators': estimators.klEstimatorsAdapter,
  'kl-in-reward': estimators.klInRewardAdapter,
  'pass-at-k': estimators.passAtKAdapter,
  'ppo-clip': policy.ppoClip,
  'prm-token-classification': supervised.processReward,
  'reinforce-plus-plus': estimators.reinforcePlusPlus,
  'reward-bradley-terry': supervised.rewardBradleyTerry,
  rloo: policy.rloo,
  'sft-cross-entropy': supervised.sftCrossEntropy,
  'soft-overlong-penalty': estimators.softOverlong,
  trpo: estimators.trpo,
  'truncated-importance-sampling': estimators.truncatedImportanceSampling,
  'value-clipped': supervised.valueClipped,
}

interface GoldenFile {
  algorithm: string
  dtype: string
  cases: { name: string; inputs: Inputs; config: Inputs; expected: Record<string, unknown> }[]
}

export interface GoldenReport {
  cases: number
  /** Worst relative errors; `metrics` covers whatever is expected beside loss and gradient. */
  worst: { loss: number; gradient: number; metrics: number }
  failures: string[]
}

/** Runs one file's cases. */
export function checkGoldenFile(file: GoldenFile): GoldenReport {
  const report: GoldenReport = { cases: 0, worst: { loss: 0, gradient: 0, metrics: 0 }, failures: [] }
  const adapter = Object.hasOwn(adapters, file.algorithm) ? adapters[file.algorithm] : undefined
  if (!adapter) return { ...report, failures: [`unknown algorithm "${file.algorithm}"`] }
  if (!Array.isArray(file.cases) || file.cases.length === 0)
    return { ...report, failures: ['the file has no cases'] }
  const limit = file.dtype === 'float32' ? 1e-5 : 1e-6
  for (const { name, inputs, config, expected } of file.cases) {
    report.cases++
    const understood = new Set<string>()
    try {
      const computed = adapter(goldenCase(inputs, config, file.dtype, understood))
      for (const [key, value] of Object.entries(expected)) {
        if (computed[key] === undefined) {
          report.failures.push(`${name}: "${key}" is expected, but not computed`)
          continue
        }
        // Rounding log-probabilities of size 5 to float32 moves their differences by 5e-7, however small a mean of them is.
        const floor = file.dtype === 'float32' && key !== 'gradient' ? 0.05 : 1e-9
        const error = worstError(computed[key], value, floor)
        const kind = key === 'loss' || key === 'gradient' ? key : 'metrics'
        report.worst[kind] = Math.max(report.worst[kind], error)
        if (!(error <= limit)) report.failures.push(`${name}: ${key} is off by ${error}`)
      }
      const ignored = Object.keys(config).filter((option) => !understood.has(option))
      if (ignored.length > 0) report.failures.push(`${name}: config not understood: ${ignored.join(', ')}`)
    } catch (error) {
      report.failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return report
}

function goldenCase(inputs: Inputs, config: Inputs, dtype: string, understood: Set<string>): GoldenCase {
  const Width = dtype === 'float32' ? Float32Array : Float64Array
  const given = (name: string) => {
    if (inputs[name] === undefined) throw new Error(`the case has no input "${name}"`)
    return inputs[name]
  }
  return {
    inputs,
    config: new Proxy(config, {
      get: (target, option) => {
        understood.add(String(option))
        return target[String(option)]
      },
    }),
    rows: (name) => given(name).map((row: number[]) => Width.from(row)),
    row: (name) => Width.from(given(name)),
  }
}

/** Checks every JSON of `directory`, or of its folder `losses`, prints a table, and says whether all is well. */
export async function runLossGoldens(directory: string): Promise<boolean> {
  const folder = existsSync(join(directory, 'losses')) ? join(directory, 'losses') : directory
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
  if (names.length === 0) {
    console.error(`no golden JSON files in ${folder}`)
    return false
  }
  const row = (...cells: string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(32) : cell.padStart(11))).join('')
  console.log(row('algorithm', 'cases', 'loss', 'gradient', 'metrics', ''))
  let passed = true
  for (const name of names) {
    let title = name
    let report: GoldenReport = { cases: 0, worst: { loss: 0, gradient: 0, metrics: 0 }, failures: [] }
    try {
      const file = JSON.parse(readFileSync(join(folder, name), 'utf8')) as GoldenFile
      title = file.algorithm ?? name
      report = checkGoldenFile(file)
    } catch (error) {
      report.failures.push(
        `${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
    const { loss, gradient, metrics } = report.worst
    const errors = [loss, gradient, metrics].map((error) => error.toExponential(1))
    console.log(row(title, String(report.cases), ...errors, report.failures.length === 0 ? 'ok' : 'FAILED'))
    for (const failure of report.failures) console.log(`    ${failure}`)
    if (report.failures.length > 0) passed = false
  }
  return passed
}

if (import.meta.main) {
  const directory = process.argv[2]
  if (!directory || !existsSync(directory)) {
    console.error('usage: node scripts/goldens-losses.ts DIR   (an existing folder of golden JSONs)')
    process.exit(2)
  }
  process.exit((await runLossGoldens(directory)) ? 0 : 1)
}
