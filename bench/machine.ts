import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os'

const features = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16']

/** What a reader needs to compare the figures: the CPU, its family and vector features, threads, memory. */
export function describeMachine() {
  const cpuInfo = platform() === 'linux' ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(cpuInfo)?.[1]
  const flags = new Set((field('flags') ?? '').split(' '))
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    family: field('cpu family') ?? null,
    model: field('model') ?? null,
    architecture: arch(),
    features: features.filter((feature) => flags.has(feature)),
    threads: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
  }
}
