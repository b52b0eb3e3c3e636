import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { namesIn } from '../listings.ts'
import { parseJson } from '../parse-json.ts'

/** What the page reads of a rollout's tokens; the rest is as it was recorded. */
const rolloutSchema = z.looseObject({
  segments: z.array(z.looseObject({ tokens: z.array(z.int()).optional() })).optional(),
})

export type ShownRollout = z.output<typeof rolloutSchema>

export interface ShownStep {
  stage: string
  step: number
  rollouts: ShownRollout[]
  /** Rollouts of the step that are not shown. */
  leftOut: number
}

export interface ShownRollouts {
  steps: ShownStep[]
  /** What a stage has and what of it is shown. */
  coverage: { stage: string; steps: number; shownSteps: number; withoutTokens: boolean }[]
}

/** The page stays quick to open from a disk. */
const BYTES = 6e6
const STEPS_OF_A_STAGE = 60
const BYTES_OF_A_ROLLOUT = 200_000

/** Rollouts for the page, of steps spread over each stage, the first and the last among them, within a budget of bytes. `order` names the stages. */
export async function chooseRollouts(
  directory: string,
  order: readonly string[],
  bytes = BYTES,
): Promise<ShownRollouts> {
  const parent = join(directory, 'rollouts')
  const there = await namesIn(parent)
  const stages = order.filter((stage) => there.includes(stage))
  const shown: ShownRollouts = { steps: [], coverage: [] }
  for (const stage of stages) {
    const share = bytes / stages.length
    const all = await stepsOf(join(parent, stage))
    const chosen = spread(all, share)
    let withoutTokens = false
    for (const { step, path } of chosen) {
      const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
      const room = share / chosen.length
      const kept: ShownRollout[] = []
      let used = 0
      for (const [index, line] of lines.entries()) {
        const { value, text, cut } = withinLimit(line, path, index + 1)
        if (kept.length > 0 && used + text.length > room) break
        withoutTokens ||= cut
        used += text.length
        kept.push(value)
      }
      shown.steps.push({ stage, step, rollouts: kept, leftOut: lines.length - kept.length })
    }
    shown.coverage.push({ stage, steps: all.length, shownSteps: chosen.length, withoutTokens })
  }
  return shown
}

async function stepsOf(folder: string): Promise<{ step: number; path: string; bytes: number }[]> {
  const found = []
  for (const name of await namesIn(folder)) {
    const step = /^(\d+)\.jsonl$/.exec(name)?.[1]
    if (step === undefined) continue
    const path = join(folder, name)
    found.push({ step: Number(step), path, bytes: (await stat(path)).size })
  }
  return found.sort((a, b) => a.step - b.step)
}

/** As many evenly spread items as fit, from many to one. */
function spread<T extends { bytes: number }>(items: readonly T[], bytes: number): T[] {
  for (let count = Math.min(items.length, STEPS_OF_A_STAGE); count > 1; count--) {
    const chosen = Array.from(
      { length: count },
      (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))] as T,
    )
    if (chosen.reduce((sum, one) => sum + one.bytes, 0) <= bytes) return chosen
  }
  return items.slice(-1)
}

/** A rollout too long for the page loses its tokens, then all that is not its reward. */
function withinLimit(
  line: string,
  path: string,
  number: number,
): { value: ShownRollout; text: string; cut: boolean } {
  const value = parseJson(rolloutSchema, line, path, number)
  if (line.length <= BYTES_OF_A_ROLLOUT) return { value, text: line, cut: false }
  const { segments: _, tokens: __, ...rest } = value
  const text = JSON.stringify(rest)
  if (text.length <= BYTES_OF_A_ROLLOUT) return { value: rest, text, cut: true }
  const { taskId, sample, reward, parts, failure } = rest
  const note = `${line.length} bytes of JSON are too many for this page; see the file`
  const short = { taskId, sample, reward, parts, failure, note }
  return { value: short, text: JSON.stringify(short), cut: true }
}
