import { describe, expect, it } from 'vitest'
import type { Run } from './index.ts'
import { toyRuns } from './testing/run-fixture.ts'

const { withRun } = toyRuns()

describe('results of a run', () => {
  it.each([
    ['a BigInt', 1n, 'Do not know how to serialize a BigInt'],
    ['nothing', undefined, 'it is undefined'],
    ['a function', () => 1, 'it is a function'],
  ])('refuses %s as a result, by its name', async (_, value, reason) => {
    await expect(withRun({}, (run) => run.once('odd', async () => value))).rejects.toThrow(
      `the result odd cannot be kept as JSON: ${reason}`,
    )
  })

  it('measures once between stages and remembers', async () => {
    let measured = 0
    const measure = (run: Run) => run.once('pass', async () => ({ pass: ++measured }))
    expect(await withRun({}, measure)).toEqual({ pass: 1 })
    expect(await withRun({ resume: true }, measure)).toEqual({ pass: 1 })
  })
})
