#!/usr/bin/env node
import { nodeProblem } from './check-node.ts'

const problem = nodeProblem(process.versions.node)
if (problem !== undefined) {
  console.error(`whetstone: ${problem}`)
  process.exit(1)
}
// Imported only now: an older Node may fail to load it before anything can be said.
await import('./start.ts')
