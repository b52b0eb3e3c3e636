#!/usr/bin/env node
import { nodeProblem } from './check-node.ts'

const problem = nodeProblem(process.versions.node)
if (problem !== undefined) {
  console.error(`whetstone: ${problem}`)
  process.exit(1)
}
await import('./start.ts')
