/**
 * This engine and its peers, side by side in one run:
 *
 *   npm run bench [-- SUITE] [--json] [--quick] [--rounds N] [--only TEXT]
 *
 * Peers are installed by bench/setup.sh. Nothing else should run meanwhile.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { benchAlgorithms } from './algorithms.ts'
import { runEngineSuite } from './engine-suite.ts'
import { benchGrpo } from './grpo.ts'
import { table } from './table.ts'

const usage = `usage: npm run bench [-- SUITE] [options]

SUITE     engine (the default), losses, sandbox, grpo or algorithms
--json    print one line of JSON
--quick   short calls, and one round unless --rounds says more
--rounds  how often engine (3) and grpo (1) measure each side, in turn
--only    the engine's figures whose name contains this
--help    print this

Peers are installed by bench/setup.sh. Nothing else should run meanwhile.`

const { values, positionals } = readArguments()

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        only: { type: 'string' },
      },
    })
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

/** `--rounds`, or what the suite usually takes. */
function rounds(usual: number): number {
  const given = values.rounds === undefined ? (values.quick ? 1 : usual) : Number(values.rounds)
  if (Number.isInteger(given) && given > 0) return given
  console.error(`bench: --rounds must be a whole number above 0, not '${values.rounds}'`)
  process.exit(2)
}

/** The losses' bench is a script of its own; it also checks their share of the engine's time when given its speed. */
function losses(): number {
  if (values.json) throw new Error('the losses suite prints text only; leave --json out')
  return spawnSync(process.execPath, ['bench/losses.ts'], { stdio: 'inherit' }).status ?? 1
}

async function sandbox(): Promise<number> {
  const { benchSandbox } = await import(new URL('sandbox.ts', import.meta.url).href)
  const result: object = await benchSandbox()
  if (values.json) console.log(JSON.stringify(result))
  else console.table(result)
  return 0
}

/** Suites that give rows beside what they were measured with. */
const rowsOf = (run: (say: (line: string) => void) => Promise<{ rows: object[] }>) => async () => {
  const { rows, ...setting } = await run((line) => console.error(line))
  if (values.json) console.log(JSON.stringify({ ...setting, rows }))
  else {
    console.log(setting)
    console.table(rows)
  }
  return 0
}

async function engine(): Promise<number> {
  const result = await runEngineSuite(
    { quick: values.quick, rounds: rounds(3) },
    values.only ?? null,
    (line) => console.error(line),
  )
  if (values.json) {
    console.log(JSON.stringify(result))
    return 0
  }
  const { machine, peaks, repetitions } = result
  const gflops = Object.entries(peaks.gflops).map(
    ([kernel, peak]) => `${kernel} ${peak.allThreads.toFixed(0)}`,
  )
  console.log(
    `${machine.cpu} (family ${machine.family}, model ${machine.model}; ${machine.features.join(', ')})`,
  )
  console.log(
    `${machine.threads} threads, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, Node ${machine.node}`,
  )
  console.log(`register-only peak, all threads, GFLOP/s: ${gflops.join(', ')}`)
  console.log(`read bandwidth, all threads: ${peaks.readGigabytesPerSecond.allThreads.toFixed(1)} GB/s`)
  console.log(`medians of ${result.rounds} rounds of ${repetitions} calls; memory: the smallest peak\n`)
  console.log(table(result.rows))
  return 0
}

const suites: Record<string, () => Promise<number> | number> = {
  engine,
  losses,
  sandbox,
  grpo: rowsOf((say) => benchGrpo({ quick: values.quick, rounds: rounds(1) }, say)),
  algorithms: rowsOf((say) => benchAlgorithms(values.quick, say)),
}

if (values.help) {
  console.log(usage)
  process.exit(0)
}
const name = positionals[0] ?? 'engine'
const suite = suites[name]
if (suite === undefined || positionals.length > 1) {
  console.error(`bench: no suite '${positionals.join(' ')}'; there are ${Object.keys(suites).join(', ')}`)
  process.exit(2)
}
if (values.rounds !== undefined && name !== 'engine' && name !== 'grpo') {
  console.error(`bench: the ${name} suite takes no --rounds`)
  process.exit(2)
}
try {
  process.exitCode = await suite()
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
