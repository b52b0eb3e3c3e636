import { describe, expect, it } from 'vitest'
import type { Run } from './index.ts'
import { defineRun, executeRun, RunInterrupted } from './index.ts'
import { toyRuns } from './testing/run-fixture.ts'

const { withRun } = toyRuns()

describe('executeRun', () => {
  const definition = defineRun({ name: 'a', train: async () => {} })
  it.each([
    [{ directory: 'x', setings: [] }, 'executeRun: unknown key setings; did you mean settings?'],
    [{}, 'executeRun: directory: Invalid input'],
    [undefined, 'executeRun: Invalid input: expected object'],
    [{ directory: 'x', settings: { steps: 4 } }, 'executeRun: settings: Invalid input: expected array'],
    [{ directory: 'x', settings: 'steps=3' }, 'executeRun: settings: Invalid input: expected array'],
  ])('refuses %j', async (given, message) => {
    await expect(executeRun(definition, given as never)).rejects.toThrow(message)
  })

  it('refuses a definition that is none', async () => {
    await expect(executeRun({} as never, { directory: 'x' })).rejects.toThrow(
      'defineRun: name: Invalid input',
    )
  })
})

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

  it.each([
    ['stops where it is asked to', () => Promise.reject(new RunInterrupted('elsewhere'))],
    [
      'stops by another copy of the package',
      () => Promise.reject(Object.assign(new Error('stopped elsewhere'), { name: 'RunInterrupted' })),
    ],
    ['goes to its end', async () => 1],
  ])('says what a stop broke off, which begins anew: a measurement that %s', async (_, outcome) => {
    const controller = new AbortController()
    const measure = () => {
      controller.abort()
      return outcome()
    }
    const stopped = withRun({ signal: controller.signal }, (run) => run.once('pass', measure))
    await expect(stopped).rejects.toMatchObject({
      name: 'RunInterrupted',
      unfinished: 'pass',
      message: expect.stringMatching(
        /was stopped; resume goes on with it, where the result pass begins anew$/,
      ),
    })
    expect(await withRun({ resume: true }, (run) => run.once('pass', async () => 2))).toBe(2)
  })

  it('measures once between stages and remembers', async () => {
    let measured = 0
    const measure = (run: Run) => run.once('pass', async () => ({ pass: ++measured }))
    expect(await withRun({}, measure)).toEqual({ pass: 1 })
    expect(await withRun({ resume: true }, measure)).toEqual({ pass: 1 })
  })
})
