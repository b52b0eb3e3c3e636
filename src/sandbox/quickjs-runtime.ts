import type { QuickJSContext, QuickJSHandle, QuickJSWASMModule } from 'quickjs-emscripten'
import { createHost, installHost } from './quickjs-host.ts'
import { programPrelude, testPrelude } from './quickjs-prelude.ts'

const stackBytes = 512 * 1024

/** What ended an evaluation: an error of the program, or the host's deadline, memory or output cap. */
export interface Thrown {
  name: string
  message: string
  stack: string
}

/** A QuickJS context in a runtime of its own, with the prelude's functions and what the program wrote. */
export interface Engine {
  output: { stdout: string; stderr: string; overflowed: boolean }
  /** Calls a function of the prelude; the result as a string, or the error. */
  call(name: string, ...args: string[]): { value: string } | { error: Thrown }
  /** Evaluates a program and lets everything that it scheduled come to rest. */
  evaluate(source: string, filename: string): Thrown | undefined
  /** Runs jobs and timers until none is left; the first error that one of them threw. */
  settle(): Thrown | undefined
}

/** What a run brings. */
export interface EngineOptions {
  memoryBytes: number
  outputBytes: number
  /** Whether output over the cap stops the program or is dropped. */
  stopOnOverflow: boolean
  /** `performance.now()` at which everything is interrupted. */
  deadline: number
  /** Files that `import` finds, and that `sandbox.readFile` and `writeFile` see. */
  files: Map<string, string>
  fileBytes: number
  stdin: string
  args: string[]
  /** Answers what the prelude asks of the other context. */
  ask(text: string): string
  /** Told that the error about to be thrown came from the other context. */
  foreign(): void
}

/**
 * A fresh engine, for a plain program or one side of a test run. Nothing of the host is reachable from it but the
 * functions of quickjs-host.ts. `begin` starts a run in it; it is made for one run, unless its memory is put back.
 */
export function createEngine(module: QuickJSWASMModule, role: 'program' | 'test') {
  const host = createHost()
  const runtime = module.newRuntime()
  runtime.setMaxStackSize(stackBytes)
  runtime.setInterruptHandler(host.isOver)
  runtime.setModuleLoader(host.loadModule, host.resolveModule)
  const context = runtime.newContext()
  const kit = installHost(context, host, role === 'test' ? testPrelude : programPrelude)
  let broken = false

  /** An error that crosses WebAssembly leaves it in a state that no later run may begin in. */
  const guarded =
    <A extends unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R => {
      try {
        return work(...args)
      } catch (error) {
        broken = true
        throw error
      }
    }
  const thrown = (error: QuickJSHandle): Thrown => {
    const described = context
      .getProp(kit, 'describe')
      .consume((f) => context.callFunction(f, context.undefined, error))
    error.dispose()
    if (described.error) {
      described.error.dispose()
      return { name: 'InternalError', message: 'the error could not be described', stack: '' }
    }
    const [name, message, stack] = described.value.consume((value) => context.dump(value)) as string[]
    return { name: name ?? '', message: message ?? '', stack: stack ?? '' }
  }
  const call: Engine['call'] = (name, ...args) => {
    const handles = args.map((text) => context.newString(text))
    const result = context
      .getProp(kit, name)
      .consume((f) => context.callFunction(f, context.undefined, ...handles))
    for (const handle of handles) handle.dispose()
    if (result.error) return { error: thrown(result.error) }
    return { value: String(result.value.consume((value) => context.dump(value))) }
  }
  const settle = (): Thrown | undefined => {
    while (true) {
      const jobs = runtime.executePendingJobs()
      if (jobs.error) return thrown(jobs.error)
      jobs.dispose()
      const timer = call('runTimer')
      if ('error' in timer) return timer.error
      if (timer.value !== 'true') return undefined
    }
  }
  const evaluate = (source: string, filename: string): Thrown | undefined => {
    const result = evaluateAny(context, source, filename)
    if (result.error) return thrown(result.error)
    const settledError = settle()
    if (settledError) {
      result.value.dispose()
      return settledError
    }
    return result.value.consume((value) => rejection(context, value, thrown))
  }
  return {
    begin: guarded((options: EngineOptions): Engine => {
      runtime.setMemoryLimit(options.memoryBytes)
      const output = host.begin(options)
      if (options.stdin !== '' || options.args.length > 0)
        call('setInput', options.stdin, JSON.stringify(options.args))
      return { output, call: guarded(call), evaluate: guarded(evaluate), settle: guarded(settle) }
    }),
    isBroken: () => broken,
  }
}

/** Whether a program may have to be a module. */
export function isModule(source: string): boolean {
  return /^\s*(import|export)\b/m.test(source) || /\bawait\b/.test(source)
}

/** A script where it parses as one, so that sloppy code runs; else a module, for `import`, `export` and `await`. */
function evaluateAny(context: QuickJSContext, source: string, filename: string) {
  if (!isModule(source)) return context.evalCode(source, filename, { type: 'global' })
  const script = context.evalCode(source, filename, { type: 'global', compileOnly: true } as {
    type: 'global'
  })
  if (!script.error) {
    script.value.dispose()
    return context.evalCode(source, filename, { type: 'global' })
  }
  script.error.dispose()
  return context.evalCode(source, filename, { type: 'module' })
}

function rejection(context: QuickJSContext, value: QuickJSHandle, thrown: (error: QuickJSHandle) => Thrown) {
  const state = context.getPromiseState(value)
  if (state.type === 'rejected') return thrown(state.error)
  if (state.type === 'fulfilled' && !state.notAPromise) state.value.dispose()
  if (state.type === 'pending') {
    return { name: 'Error', message: 'the program awaits something that never happens', stack: '' }
  }
  return undefined
}
