/**
 * The process that holds one Pyodide and runs one job. Node's permission model keeps it from files, processes, workers
 * and addons; what the model leaves open is closed here before any untrusted code runs: the network, and every global
 * through which Python could reach Node. Strings cannot become JavaScript (--disallow-code-generation-from-strings).
 */
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { pathToFileURL } from 'node:url'

const [pyodideFolder = '', pythonFolder = '', memoryBytes = '0', snapshotFile] = process.argv.slice(2)
const resultDescriptor = 3
/** WebAssembly memory of an interpreter that has just started. */
const startBytes = 32 * 2 ** 20
const { readSync, writeSync } = fs
const { exit } = process

const refuse = () => {
  throw new Error('the sandbox has no network')
}

function closeNetwork(): void {
  const doors: Array<[object, string[]]> = [
    [net.Socket.prototype, ['connect', 'open']],
    [net.Server.prototype, ['listen']],
    [dgram.Socket.prototype, ['bind', 'connect', 'send']],
    [dns.Resolver.prototype, Object.keys(dns.Resolver.prototype)],
    [dns.promises.Resolver.prototype, Object.keys(dns.promises.Resolver.prototype)],
    [dns.promises, Object.keys(dns.promises).filter((name) => /^(lookup|resolve|reverse)/.test(name))],
    [dns, Object.keys(dns).filter((name) => /^(lookup|resolve|reverse)/.test(name))],
  ]
  for (const [owner, names] of doors) {
    for (const name of names)
      Object.defineProperty(owner, name, { value: refuse, writable: false, configurable: false })
  }
  syncBuiltinESMExports()
}

declare const WebAssembly: { Memory: { prototype: { buffer: ArrayBuffer; grow(pages: number): number } } }

/** WebAssembly memory grows through this one method; over the cap it fails, and Python sees a MemoryError. */
const memory = { bytes: 0, cap: Number(memoryBytes) }
function capMemory(): void {
  const { grow } = WebAssembly.Memory.prototype
  WebAssembly.Memory.prototype.grow = function (
    this: { buffer: ArrayBuffer; grow(pages: number): number },
    pages,
  ) {
    const wanted = this.buffer.byteLength + pages * 65_536
    if (wanted > memory.cap) throw new RangeError('over the memory cap')
    memory.bytes = wanted
    return grow.call(this, pages)
  }
}

interface MemoryFiles {
  expandFileStorage(node: { contents?: { length: number } }, capacity: number): void
}

/** Files lie in JavaScript's memory, outside that cap, so they have one of their own. Deleted ones still count. */
function capFiles(files: MemoryFiles, cap: number, tooMuch: () => Error): void {
  const expand = files.expandFileStorage
  let held = 0
  files.expandFileStorage = (node, capacity) => {
    const more = capacity - (node.contents?.length ?? 0)
    if (more > 0 && held + more > cap) throw tooMuch()
    held += Math.max(0, more)
    expand(node, capacity)
  }
}

/** Leaves the language's own globals and what Pyodide uses while it runs. */
function removeGlobals(): void {
  const kept = new Set([
    'setTimeout',
    'clearTimeout',
    'TextDecoder',
    'TextEncoder',
    'WebAssembly',
    'globalThis',
  ])
  const language = new Set(
    'Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError JSON Math Intl ArrayBuffer Atomics Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float16Array Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array DataView Map BigInt Set Iterator WeakMap WeakSet WeakRef FinalizationRegistry Proxy Reflect SharedArrayBuffer decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape isFinite isNaN'.split(
      ' ',
    ),
  )
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!kept.has(name) && !language.has(name)) Reflect.deleteProperty(globalThis, name)
  }
  // Emscripten reports a program's exit on these two; Node's own would lead to its streams and modules.
  const silent = Object.freeze(() => {})
  const console = Object.freeze({ __proto__: null, log: silent, warn: silent, error: silent, info: silent })
  Object.defineProperty(globalThis, 'console', { value: console })
  Object.defineProperty(globalThis, 'process', { value: Object.seal({ __proto__: null, exitCode: 0 }) })
}

function receive(): string {
  const head = readExactly(4)
  return readExactly(head.readUInt32BE(0)).toString('utf8')
}

/** Standard input does not block; a read that finds nothing waits this long, in milliseconds, and asks again. */
const waitFor = Atomics.wait
const pause = new Int32Array(new SharedArrayBuffer(4))

function readExactly(count: number): Buffer {
  const bytes = buffer.allocUnsafe(count)
  let at = 0
  while (at < count) {
    try {
      const got = readSync(0, bytes, at, count - at, null)
      if (got === 0) exit(0)
      at += got
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      waitFor(pause, 0, 0, 1)
    }
  }
  return bytes
}

function send(message: object): void {
  const body = buffer.from(JSON.stringify(message))
  const head = buffer.alloc(4)
  head.writeUInt32BE(body.length)
  writeAll(resultDescriptor, buffer.concat([head, body]))
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}

function writerTo(descriptor: number) {
  return {
    write(bytes: Uint8Array): number {
      writeAll(descriptor, bytes)
      return bytes.length
    },
  }
}

const buffer = Buffer
closeNetwork()
capMemory()
// Pyodide asks for the file constants this way, which the permission model forbids.
;(process as unknown as { binding: unknown }).binding = (name: string) => {
  if (name !== 'constants') throw new Error(`binding ${name} is closed`)
  return { fs: fs.constants }
}
const { loadPyodide } = (await import(
  pathToFileURL(`${pyodideFolder}pyodide.mjs`).href
)) as typeof import('pyodide')
const options = { indexURL: pyodideFolder, jsglobals: Object.create(null), env: { HOME: '/workspace' } }
if (snapshotFile === undefined) await makeSnapshot()
const pyodide = await loadPyodide({ ...options, _loadSnapshot: fs.readFileSync(snapshotFile!) })

/** Writes the memory of an interpreter that has loaded this room's Python to standard output, and ends. */
async function makeSnapshot(): Promise<never> {
  const fresh = await loadPyodide({ ...options, _makeSnapshot: true })
  fresh.FS.mkdir('/sandbox')
  for (const name of [
    'frames.py',
    'remote.py',
    'values.py',
    'rpc.py',
    'judge.py',
    'program.py',
    'pyodide_main.py',
  ]) {
    fresh.FS.writeFile(`/sandbox/${name}`, fs.readFileSync(`${pythonFolder}${name}`))
  }
  fresh.runPython("import sys; sys.path.insert(0, '/sandbox'); import pyodide_main; sys.path.pop(0)")
  writeAll(1, fresh.makeMemorySnapshot())
  return exit(0)
}
pyodide.setStdout(writerTo(1))
pyodide.setStderr(writerTo(2))
send({ ready: true })

const job = JSON.parse(receive()) as {
  mode: string
  limits: { memoryBytes: number; fileBytes: number }
  payload?: { stdin?: string }
}
const noSpace = 51
const { MEMFS } = (pyodide.FS as unknown as { filesystems: { MEMFS: MemoryFiles } }).filesystems
const { ErrnoError } = pyodide.FS as unknown as { ErrnoError: new (code: number) => Error }
capFiles(MEMFS, job.limits.fileBytes * 2, () => new ErrnoError(noSpace))
memory.cap = Math.max(memory.bytes, startBytes) + job.limits.memoryBytes
const stdin = buffer.from(job.payload?.stdin ?? '')
let stdinAt = 0
pyodide.setStdin({
  read: (into) => {
    const part = stdin.subarray(stdinAt, stdinAt + into.length)
    into.set(part)
    stdinAt += part.length
    return part.length
  },
})
const host = Object.assign(Object.create(null), {
  send: (text: string) => send({ rpc: text }),
  tested: (passed: boolean) => send({ tested: passed }),
  receive,
})
removeGlobals()
try {
  const start = pyodide.pyimport('pyodide_main').start as (text: string, host: unknown) => string
  send({ result: JSON.parse(start(JSON.stringify(job), host)) })
  exit(0)
} catch (error) {
  const { status, message } = error as { status?: number; message?: string }
  if (typeof status === 'number') send({ exited: status })
  else send({ fatal: String(message ?? error).slice(-2000) })
  exit(1)
}
