import { describe, expect, it } from 'vitest'
import type { OptionSpecs } from './options.ts'
import { algorithm, registry } from './registry.ts'

describe('registry', () => {
  it('holds every id', () => {
    expect(Object.keys(registry).sort()).toEqual(
      [
        'sft mlm dpo ipo reward-bradley-terry process-reward ppo grpo dr-grpo dapo cispo rloo reinforce',
        'reinforce-plus-plus gspo-sequence gspo-pairs gdpo-contrast gdpo-listwise gdpo-decoupled kl-k1 kl-k2 kl-k3 gae',
        'is-token-truncate is-token-mask is-sequence-truncate is-sequence-mask',
      ]
        .join(' ')
        .split(' ')
        .sort(),
    )
  })

  it('defaults are those of the papers', () => {
    const defaults = (id: keyof typeof registry) => {
      const entry = registry[id]
      const specs = 'options' in entry ? Object.entries(entry.options as OptionSpecs) : []
      return Object.fromEntries(specs.map(([name, { fallback }]) => [name, fallback]))
    }
    expect(defaults('ppo')).toMatchObject({
      clipLow: 0.2,
      clipHigh: 0.2,
      dualClip: null,
      aggregation: 'token-mean',
    })
    expect(defaults('grpo')).toMatchObject({
      clipLow: 0.2,
      clipHigh: 0.2,
      aggregation: 'sequence-mean-token-mean',
    })
    expect(defaults('grpo')).toMatchObject({ klCoefficient: 0, klEstimator: 'k3', dualClip: null })
    expect(defaults('dapo')).toMatchObject({ clipLow: 0.2, clipHigh: 0.28, aggregation: 'token-mean' })
    expect(defaults('reinforce-plus-plus')).toMatchObject({ klEstimator: 'k2', aggregation: 'token-mean' })
    expect(defaults('gspo-sequence')).toEqual({ form: 'sequence', clipLow: 3e-4, clipHigh: 4e-4 })
    expect(defaults('dpo')).toEqual({ beta: 0.1, labelSmoothing: 0, lengthNormalised: false })
    expect(defaults('sft')).toMatchObject({ aggregation: 'token-mean' })
    expect(defaults('is-token-truncate')).toEqual({ lower: null, upper: 2 })
    expect(defaults('is-token-mask')).toEqual({ lower: 0.5, upper: 2 })
  })

  it('refuses bare gspo, listing its meanings and their sources', () => {
    expect(() => algorithm('gspo' as never)).toThrow(
      /gspo-sequence \(.*2507\.18071\) or gspo-pairs \(.*2604\.15602\)/,
    )
  })

  it('refuses bare gdpo, listing its meanings and their sources', () => {
    expect(() => algorithm('gdpo' as never)).toThrow(
      /gdpo-decoupled \(.*2601\.05242\), gdpo-contrast or gdpo-listwise \(/,
    )
  })

  it('refuses an unknown id, listing the known ones', () => {
    expect(() => algorithm('pppo' as never)).toThrow(/unknown algorithm "pppo"; the ids are: sft, mlm, dpo/)
    expect(() => algorithm('toString' as never)).toThrow(/unknown algorithm "toString"/)
  })
})
