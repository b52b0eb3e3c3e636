/** All that a program in QuickJS can reach of the host: functions that see the present run and nothing else. */
import type { QuickJSContext, QuickJSHandle } from 'quickjs-emscripten'
import type { Engine, EngineOptions } from './quickjs-runtime.ts'
import { isName, pathProblem } from './requests.ts'

const notBegun: EngineOptions = {
  memoryBytes: 0,
  outputBytes: 0,
  stopOnOverflow: false,
  deadline: Number.POSITIVE_INFINITY,
  files: new Map(),
  fileBytes: 0,
  stdin: '',
  args: [],
  ask() {
    throw new Error('no run has begun')
  },
  foreign() {},
}

export interface Host {
  /** Makes a run the present one. What it writes goes to the object returned. */
  begin(options: EngineOptions): Engine['output']
  isOver(): boolean
  loadModule(name: string): string | { error: Error }
  resolveModule(base: string, requested: string): string
  write(stream: number, text: string): void
  ask(text: string): string
  foreign(): void
  readFile(path: string): string
  writeFile(path: string, text: string): void
  listFiles(): string[]
}

export function createHost(): Host {
  let run = notBegun
  let output: Engine['output'] = { stdout: '', stderr: '', overflowed: false }
  return {
    begin(options) {
      run = options
      output = { stdout: '', stderr: '', overflowed: false }
      return output
    },
    isOver: () => performance.now() > run.deadline || (run.stopOnOverflow && output.overflowed),
    loadModule: (name) => run.files.get(name) ?? { error: new Error(`the workspace has no module ${name}`) },
    resolveModule: (base, requested) => resolveModule(base, requested, run.files),
    write(stream, text) {
      const name = stream === 2 ? 'stderr' : 'stdout'
      const room = run.outputBytes - output[name].length
      output[name] += text.slice(0, Math.max(0, room))
      if (text.length > room) output.overflowed = true
    },
    ask: (text) => run.ask(text),
    foreign: () => run.foreign(),
    readFile(path) {
      const content = run.files.get(path)
      if (content === undefined) throw new Error(`the workspace has no file ${path}`)
      return content
    },
    writeFile(path, text) {
      const problem = pathProblem(path)
      if (problem) throw new Error(problem)
      let total = text.length
      for (const [other, held] of run.files) if (other !== path) total += held.length
      if (total > run.fileBytes) throw new Error(`the files would have more than ${run.fileBytes} bytes`)
      run.files.set(path, text)
    },
    listFiles: () => [...run.files.keys()],
  }
}

/** Evaluates the prelude with the host's functions at hand, and gives the prelude's own functions. */
export function installHost(context: QuickJSContext, host: Host, prelude: string): QuickJSHandle {
  const offered = context.newObject()
  const offer = (name: string, body: (...handles: QuickJSHandle[]) => QuickJSHandle | undefined) => {
    context.newFunction(name, body).consume((handle) => context.setProp(offered, name, handle))
  }
  offer('write', (stream, text) => {
    host.write(context.getNumber(stream!), context.getString(text!))
    return undefined
  })
  offer('ask', (text) => context.newString(host.ask(context.getString(text!))))
  offer('foreign', () => {
    host.foreign()
    return undefined
  })
  offer('global', (name) => {
    const word = context.getString(name!)
    if (!isName(word)) throw new Error('not a name')
    return context.unwrapResult(context.evalCode(`typeof ${word} === 'undefined' ? undefined : ${word}`))
  })
  offer('readFile', (path) => context.newString(host.readFile(context.getString(path!))))
  offer('writeFile', (path, text) => {
    host.writeFile(context.getString(path!), context.getString(text!))
    return undefined
  })
  offer('listFiles', () => context.newString(JSON.stringify(host.listFiles())))
  const kit = context
    .unwrapResult(context.evalCode(prelude, 'prelude.js'))
    .consume((make) =>
      context.unwrapResult(context.callFunction(make, context.undefined, offered, context.global)),
    )
  offered.dispose()
  return kit
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
