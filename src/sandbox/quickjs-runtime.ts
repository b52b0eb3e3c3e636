import { stripTypeScriptTypes } from 'node:module'
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime, QuickJSWASMModule } from 'quickjs-emscripten'
import { programPrelude, testPrelude } from './quickjs-prelude.ts'
import { pathProblem } from './requests.ts'
import type { Language } from './types.ts'

const stackBytes = 512 * 1024

/** What ended an evaluation: an error of the program, or the host's deadline, memory or output cap. */
export interface Thrown {
  name: string
  message: string
  stack: string
}

/** One QuickJS context in a runtime of its own, with the prelude's functions and what the program wrote. */
export interface Engine {
  context: QuickJSContext
  output: { stdout: string; stderr: string; overflowed: boolean }
  /** Calls a function of the prelude; the result as a string, or the error. */
  call(name: string, ...args: string[]): { value: string } | { error: Thrown }
  /** Evaluates a program and lets everything that it scheduled come to rest. */
  evaluate(source: string, filename: string): Thrown | undefined
  /** Runs jobs and timers until none is left; the first error that one of them threw. */
  settle(): Thrown | undefined
  dispose(): void
}

export interface EngineOptions {
  /** A plain program, or one side of a test run. */
  role: 'program' | 'test'
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

/** A fresh engine. Nothing of the host is reachable from it but the functions listed here. */
export function createEngine(module: QuickJSWASMModule, options: EngineOptions): Engine {
  const runtime = module.newRuntime()
  runtime.setMemoryLimit(options.memoryBytes)
  runtime.setMaxStackSize(stackBytes)
  const output = { stdout: '', stderr: '', overflowed: false }
  runtime.setInterruptHandler(
    () => performance.now() > options.deadline || (options.stopOnOverflow && output.overflowed),
  )
  runtime.setModuleLoader(
    (name) => options.files.get(name) ?? { error: new Error(`the workspace has no module ${name}`) },
    (base, requested) => resolveModule(base, requested, options.files),
  )
  const context = runtime.newContext()
  const host = context.newObject()
  const offer = (name: string, body: (...handles: QuickJSHandle[]) => QuickJSHandle | undefined) => {
    context.newFunction(name, body).consume((handle) => context.setProp(host, name, handle))
  }
  offer('write', (stream, text) => {
    const name = context.getNumber(stream!) === 2 ? 'stderr' : 'stdout'
    const room = options.outputBytes - output[name].length
    const added = context.getString(text!)
    output[name] += added.slice(0, Math.max(0, room))
    if (added.length > room) output.overflowed = true
    return undefined
  })
  offer('ask', (text) => context.newString(options.ask(context.getString(text!))))
  offer('foreign', () => {
    options.foreign()
    return undefined
  })
  offer('global', (name) => {
    const word = context.getString(name!)
    return context.unwrapResult(context.evalCode(`typeof ${word} === 'undefined' ? undefined : ${word}`))
  })
  const kit = context
    .unwrapResult(context.evalCode(options.role === 'test' ? testPrelude : programPrelude, 'prelude.js'))
    .consume((make) =>
      context.unwrapResult(context.callFunction(make, context.undefined, host, context.global)),
    )
  installWorkspace(context, options)
  host.dispose()

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
  return {
    context,
    output,
    call,
    settle,
    evaluate(source, filename) {
      const result = evaluateAny(context, source, filename)
      if (result.error) return thrown(result.error)
      const settledError = settle()
      if (settledError) {
        result.value.dispose()
        return settledError
      }
      return result.value.consume((value) => rejection(context, value, thrown))
    },
    dispose() {
      kit.dispose()
      disposeAll(context, runtime)
    },
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

function installWorkspace(context: QuickJSContext, options: EngineOptions): void {
  const tools = context.newObject()
  const offer = (name: string, body: (...handles: QuickJSHandle[]) => QuickJSHandle) => {
    context.newFunction(name, body).consume((handle) => context.setProp(tools, name, handle))
  }
  offer('readFile', (path) => {
    const content = options.files.get(context.getString(path!))
    if (content === undefined) throw new Error(`the workspace has no file ${context.getString(path!)}`)
    return context.newString(content)
  })
  offer('writeFile', (path, text) => {
    const name = context.getString(path!)
    const content = context.getString(text!)
    const problem = pathProblem(name)
    if (problem) throw new Error(problem)
    let total = content.length
    for (const [other, held] of options.files) if (other !== name) total += held.length
    if (total > options.fileBytes)
      throw new Error(`the files would have more than ${options.fileBytes} bytes`)
    options.files.set(name, content)
    return context.undefined
  })
  offer('listFiles', () =>
    context.unwrapResult(
      context.evalCode(`JSON.parse(${JSON.stringify(JSON.stringify([...options.files.keys()]))})`),
    ),
  )
  context.newString(options.stdin).consume((handle) => context.setProp(tools, 'stdin', handle))
  context
    .unwrapResult(context.evalCode(`(${JSON.stringify(options.args)})`))
    .consume((handle) => context.setProp(tools, 'args', handle))
  context.setProp(context.global, 'sandbox', tools)
  tools.dispose()
  context
    .unwrapResult(
      context.evalCode('globalThis.module = { exports: {} }; globalThis.exports = module.exports; 0'),
    )
    .dispose()
}

function resolveModule(base: string, requested: string, files: Map<string, string>): string {
  if (!requested.startsWith('.')) return requested
  const folder = base.split('/').slice(0, -1)
  for (const part of requested.split('/')) {
    if (part === '..') folder.pop()
    else if (part !== '.') folder.push(part)
  }
  const path = folder.join('/')
  return [path, `${path}.js`, `${path}.ts`].find((candidate) => files.has(candidate)) ?? path
}

function disposeAll(context: QuickJSContext, runtime: QuickJSRuntime): void {
  context.dispose()
  runtime.dispose()
}

/**
 * JavaScript of either language. Types become blanks, so that lines and columns stay; only what has no JavaScript of
 * its own (enums, namespaces, parameter properties) is rewritten. Throws a SyntaxError where TypeScript does not parse.
 */
export function toJavaScript(language: Language, source: string): string {
  if (language !== 'typescript') return source
  try {
    return stripTypeScriptTypes(source)
  } catch {
    return stripTypeScriptTypes(source, { mode: 'transform' })
  }
}
