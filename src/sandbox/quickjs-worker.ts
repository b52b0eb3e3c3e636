/** The thread that runs QuickJS. The main thread ends it when it does not answer; nothing is shared between runs. */
import { parentPort } from 'node:worker_threads'
import { createInstance, type Instance } from './quickjs-instance.ts'
import { type Engine, type EngineOptions, isModule, type Thrown } from './quickjs-runtime.ts'
import { type HiddenPart, withoutTampered } from './requests.ts'
import { ParserBroken, toJavaScript } from './strip-types.ts'
import type { Language, Limits, RunResult, Verdict } from './types.ts'

export interface JavaScriptJob {
  language: Language
  limits: Limits
  source: string
  files: Record<string, string>
  stdin: string
  args: string[]
  collectFiles: boolean
  /** Present in a test run. */
  hidden?: HiddenPart
}

export interface JavaScriptAnswer {
  answer: RunResult | Verdict
  /** The thread must not be used again. */
  spent: boolean
}

const encoder = new TextEncoder()

/** Whether this thread has been broken by what it ran, beyond what putting a memory back mends. */
let spent = false

/** What runs in an instance of its own. */
type Part = 'program' | 'solution' | 'judge'
const instances = new Map<Part, Promise<Instance>>()

function instanceOf(part: Part): Promise<Instance> {
  const present = instances.get(part) ?? createInstance(part === 'program' ? 'program' : 'test')
  instances.set(part, present)
  return present
}

parentPort!.on('message', async (job: JavaScriptJob) => {
  const parts: Part[] = job.hidden ? ['solution', 'judge'] : ['program']
  const taken = await Promise.all(parts.map(instanceOf))
  const answer = job.hidden ? test(job, job.hidden, taken) : run(job, taken[0]!)
  parentPort!.postMessage({ answer, spent } satisfies JavaScriptAnswer)
  // Between runs, so that the next one finds a fresh runtime.
  taken.forEach((instance, index) => {
    if (!instance.restore()) instances.delete(parts[index]!)
  })
})
await instanceOf('program')
parentPort!.postMessage('ready')

function optionsOf(job: JavaScriptJob, started: number): EngineOptions {
  return {
    memoryBytes: job.limits.memoryBytes,
    outputBytes: job.limits.outputBytes,
    stopOnOverflow: !job.hidden,
    deadline: started + job.limits.milliseconds,
    files: new Map(Object.entries(job.files)),
    fileBytes: job.limits.fileBytes,
    stdin: job.stdin,
    args: job.args,
    ask: () => {
      throw new Error('there is nobody to ask')
    },
    foreign: () => {},
  }
}

function isOutOfMemory(error: Thrown): boolean {
  return error.name === 'InternalError' && error.message === 'out of memory'
}

function run(job: JavaScriptJob, instance: Instance): RunResult {
  const started = performance.now()
  const options = optionsOf(job, started)
  let engine: Engine | undefined
  let error: Thrown | undefined
  try {
    const source = toJavaScript(job.language, job.source)
    engine = instance.begin(options)
    error = engine.evaluate(source, 'main.js')
  } catch (problem) {
    spent ||= problem instanceof ParserBroken
    error = { name: (problem as Error).name, message: (problem as Error).message, stack: '' }
  }
  const result: RunResult = {
    exit: error ? 1 : 0,
    stdout: engine?.output.stdout ?? '',
    stderr: engine?.output.stderr ?? '',
    milliseconds: performance.now() - started,
    stopped: 'ok',
  }
  if (engine?.output.overflowed) {
    Object.assign(result, stop('output', `more than ${job.limits.outputBytes} bytes of output`))
  } else if (performance.now() > options.deadline) {
    Object.assign(result, stop('timeout', `still running after ${job.limits.milliseconds} ms`))
  } else if (error && isOutOfMemory(error)) {
    result.stopped = 'memory'
    result.reason = `out of memory: the cap is ${job.limits.memoryBytes} bytes`
  } else if (error) {
    result.stopped = 'exception'
    result.reason = headline(error)
    result.stderr += `${headline(error)}\n${error.stack}`
  }
  if (job.collectFiles) {
    result.files = Object.fromEntries([...options.files].map(([path, text]) => [path, encoder.encode(text)]))
  }
  return result
}

function stop(stopped: RunResult['stopped'], reason: string): Partial<RunResult> {
  return { stopped, reason, exit: null }
}

function headline(error: Thrown): string {
  return error.name ? `${error.name}: ${error.message}` : `uncaught ${error.message}`
}

/**
 * The solution in one instance, the judge in another. The tests and what they expect never enter the solution's memory,
 * and the verdict is decided in the judge's.
 */
function test(job: JavaScriptJob, hidden: HiddenPart, sides: Instance[]): Verdict {
  const started = performance.now()
  const options = optionsOf(job, started)
  const seen = { outOfMemory: false, foreign: false }
  const engines: Engine[] = []
  let testsPassed = 0
  const relay = (target: () => Engine) => (text: string) => {
    const engine = target()
    const served = engine.call('serve', text)
    if ('error' in served) {
      seen.outOfMemory ||= isOutOfMemory(served.error)
      throw new Error(served.error.message)
    }
    engine.settle()
    const answer = engine.call('answer')
    if ('error' in answer) {
      seen.outOfMemory ||= isOutOfMemory(answer.error)
      throw new Error(answer.error.message)
    }
    return answer.value
  }
  const finish = (reason: Verdict['reason'], message = ''): Verdict => {
    const output = engines[0]?.output
    const late = reason !== 'passed' && performance.now() > options.deadline
    const final = late ? 'timeout' : reason
    return withoutTampered({
      passed: final === 'passed',
      reason: final,
      testsPassed,
      testsTotal: hidden.tests.length,
      message: late ? `still running after ${job.limits.milliseconds} ms` : message.slice(0, 500),
      stdout: output?.stdout ?? '',
      stderr: output?.stderr ?? '',
      milliseconds: performance.now() - started,
    })
  }
  try {
    const solution = sides[0]!.begin({ ...options, ask: relay(() => engines[1]!) })
    engines.push(solution)
    const judge = sides[1]!.begin({
      ...options,
      files: new Map(),
      ask: relay(() => solution),
      foreign: () => {
        seen.foreign = true
      },
    })
    engines.push(judge)
    judge.call('becomeJudge')
    const loaded = solution.evaluate(
      withEntry(toJavaScript(job.language, job.source), hidden.entryPoint),
      'solution.js',
    )
    if (loaded) return finish(isOutOfMemory(loaded) ? 'memory' : 'exception', headline(loaded))
    const helpers = hidden.helpers && judge.evaluate(toJavaScript(job.language, hidden.helpers), 'helpers.js')
    if (helpers) return finish('failed', `the helpers: ${headline(helpers)}`)
    const bound = judge.call('bindEntry', hidden.entryPoint)
    if ('error' in bound) return finish('exception', headline(bound.error))
    let first: [Verdict['reason'], string?] = ['passed']
    for (const [index, source] of hidden.tests.entries()) {
      seen.foreign = false
      const error = judge.evaluate(withCheck(toJavaScript(job.language, source)), 'tests.js')
      if (performance.now() > options.deadline) return finish('timeout')
      if (error) {
        if (seen.outOfMemory || isOutOfMemory(error)) return finish('memory', 'out of memory')
        const foreign = error.name !== 'AssertionError' && seen.foreign
        if (first[0] === 'passed') first = [foreign ? 'exception' : 'failed', headline(error)]
      }
      if (index === hidden.tests.length - 1) {
        const replaced = solution.call('replaced')
        const names = 'value' in replaced ? replaced.value : 'unknown'
        if (names !== '') return finish('tampered', `the solution replaced builtins: ${names}`)
      }
      if (!error) testsPassed++
    }
    return finish(...first)
  } catch (problem) {
    spent ||= problem instanceof ParserBroken
    return finish(seen.outOfMemory ? 'memory' : 'exception', (problem as Error).message)
  }
}

/** A module's entry point is no global; this makes it reachable without asking the solution to export it. */
function withEntry(source: string, entryPoint: string): string {
  if (!isModule(source)) return source
  return `${source}\n;if (typeof ${entryPoint} !== 'undefined') globalThis.${entryPoint} = ${entryPoint};`
}

/** A test that defines `check` calls it too. */
function withCheck(test: string): string {
  if (!/\b(?:function|const|let|var)\s+check\b|^\s*check\s*=/m.test(test)) return test
  return `${test}\n;if (typeof check === 'function') ${isModule(test) ? 'await ' : ''}check(candidate)`
}
