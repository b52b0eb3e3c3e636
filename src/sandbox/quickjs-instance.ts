import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { newQuickJSWASMModuleFromVariant, newVariant, RELEASE_SYNC } from 'quickjs-emscripten'
import { createEngine, type Engine, type EngineOptions } from './quickjs-runtime.ts'

const pageBytes = 65_536
const emptyPage = Buffer.alloc(pageBytes)

/** Pages. More than these without content can only be C's stack: what lies below its pointer means nothing. */
const largestGap = 16

/** The allocator asks for at least a twentieth more than it needs. */
const overgrowth = 1.05

/**
 * QuickJS in a WebAssembly memory of its own. Making a runtime and evaluating the prelude in it is most of what a short
 * run would cost, so it is done once; each run begins in a copy of the memory as it was then.
 */
export interface Instance {
  begin(options: EngineOptions): Engine
  /** Puts the memory back. False when that cannot be done and the instance must be dropped. */
  restore(): boolean
}

declare const WebAssembly: { compile(bytes: Uint8Array): Promise<object> }

let compiled: Promise<object> | undefined

function compile(): Promise<object> {
  compiled ??= readFile(
    createRequire(createRequire(import.meta.url).resolve('quickjs-emscripten')).resolve(
      '@jitl/quickjs-wasmfile-release-sync/wasm',
    ),
  ).then((bytes) => WebAssembly.compile(bytes))
  return compiled
}

interface Memory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

/** A new instance, for plain programs or for one side of test runs. */
export async function createInstance(role: 'program' | 'test'): Promise<Instance> {
  const module = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmModule: compile }))
  const memory = module.getWasmMemory() as Memory
  const { begin, isBroken } = createEngine(module, role)
  const { usedBytes, restore } = snapshot(memory)
  const setCap = capGrowth(memory)
  return {
    begin(options) {
      setCap(usedBytes + options.memoryBytes)
      return begin(options)
    },
    restore: () => !isBroken() && restore(),
  }
}

/**
 * QuickJS cannot know the size of what it has allocated in WebAssembly, so its own limit only stops single allocations.
 * The memory itself must not grow over the cap.
 */
function capGrowth(memory: Memory): (bytes: number) => void {
  const grow = memory.grow.bind(memory)
  let cap = 0
  memory.grow = (pages) => {
    if (memory.buffer.byteLength + pages * pageBytes > cap * overgrowth)
      throw new RangeError('over the memory cap')
    return grow(pages)
  }
  return (bytes) => {
    cap = bytes
  }
}

/**
 * Copies what a memory holds; `restore` writes the copy back, or returns false when the memory has grown, which cannot
 * be undone.
 */
function snapshot(memory: Memory): { usedBytes: number; restore(): boolean } {
  const { buffer } = memory
  const pages = Array.from({ length: buffer.byteLength / pageBytes }, (_, index) =>
    Buffer.from(buffer, index * pageBytes, pageBytes),
  )
  const used = pages.flatMap((page, index) => (page.equals(emptyPage) ? [] : [index]))
  const copies: { start: number; bytes: Uint8Array }[] = []
  for (let first = 0; first < used.length; ) {
    let last = first
    while (used[last + 1]! - used[last]! <= largestGap) last++
    const start = used[first]! * pageBytes
    copies.push({ start, bytes: new Uint8Array(buffer).slice(start, (used[last]! + 1) * pageBytes) })
    first = last + 1
  }
  const whole = new Uint8Array(buffer)
  return {
    usedBytes: (used.at(-1)! + 1) * pageBytes,
    restore() {
      if (memory.buffer !== buffer) return false
      for (const { start, bytes } of copies) whole.set(bytes, start)
      return true
    },
  }
}
