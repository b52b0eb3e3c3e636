import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkGoldenFile } from '../../scripts/goldens-losses.ts'

const folder = new URL('../goldens/losses/', import.meta.url)
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))

describe('golden vectors of the peers', () => {
  for (const name of readdirSync(folder)) {
    it(`${name}: loss, gradient and metrics agree`, () => {
      const report = checkGoldenFile(read(name))
      expect(report.failures).toEqual([])
      expect(report.cases).toBeGreaterThan(0)
      expect(Math.max(...Object.values(report.worst))).toBeLessThan(1e-8)
    })
  }

  it('a number that is off by a hundred-thousandth fails', () => {
    const file = read('grpo.json')
    file.cases[0].expected.loss *= 1 + 1e-5
    expect(checkGoldenFile(file).failures[0]).toMatch(/^std-normalised, no KL: loss is off by/)
  })

  it('one wrong entry of a gradient fails', () => {
    const file = read('dpo.json')
    file.cases[0].expected.gradient.rejected[0][0] += 1e-6
    expect(checkGoldenFile(file).failures[0]).toMatch(/gradient is off/)
  })

  it('a gradient of another shape fails', () => {
    const file = read('dpo.json')
    file.cases[0].expected.gradient.rejected[0].pop()
    expect(checkGoldenFile(file).failures[0]).toMatch(/gradient is off by Infinity/)
  })

  it('float32 files pass in float32 at 1e-5', () => {
    for (const name of ['grpo.json', 'dpo.json', 'gae.json', 'ppo-clip.json']) {
      expect(checkGoldenFile({ ...read(name), dtype: 'float32' }).failures).toEqual([])
    }
  })

  it('an unknown algorithm, an expected value that is not computed and an unread option are failures', () => {
    expect(checkGoldenFile({ ...read('grpo.json'), algorithm: 'gspo' }).failures).toEqual([
      'unknown algorithm "gspo"',
    ])
    const file = read('rloo.json')
    file.cases[0].expected.wisdom = 1
    file.cases[1].config.temperature = 0.5
    expect(checkGoldenFile(file).failures).toEqual([
      'reinforce form: "wisdom" is expected, but not computed',
      'reinforce form, real rewards, KL in reward: config not understood: temperature',
    ])
  })

  it('a file without cases fails', () => {
    expect(checkGoldenFile({ ...read('grpo.json'), cases: [] }).failures).toEqual(['the file has no cases'])
  })
})
