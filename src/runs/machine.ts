import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { native } from '../native/index.ts'

export interface Versions {
  whetstone: string
  node: string
}

export interface Hardware {
  cpu: string
  /** The engine's path through the instruction set: results are the same to the bit on one path. */
  enginePath: string
  threads: number
  memoryBytes: number
  platform: string
}

export function versions(): Versions {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return { whetstone: version, node: process.versions.node }
}

export function hardware(): Hardware {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    enginePath: native.cpuPath().chosen,
    threads: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
  }
}
