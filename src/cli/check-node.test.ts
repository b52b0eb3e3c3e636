import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { nodeProblem } from './check-node.ts'

it('an old Node is refused with the version that is needed, which is the one that package.json names', () => {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const needed = engines.node.replace('>=', '')
  for (const old of ['18.20.8', '20.20.2', '22.17.1']) {
    expect(nodeProblem(old)).toContain(`Node ${old}`)
    expect(nodeProblem(old)).toContain(`Node ${needed} or newer`)
  }
  for (const fine of [`${needed}.0`, '22.20.0', '24.1.0']) expect(nodeProblem(fine)).toBeUndefined()
})
