import { describe, expect, it } from 'vitest'
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
