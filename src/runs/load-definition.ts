import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { checkDefinition, type RunDefinition } from './define-run.ts'
import { DamagedRun, RunError } from './run-error.ts'
import { saysAll } from './says-all.ts'
import { settled } from './settled.ts'

const PROGRAM = /\.[cm]?[jt]s$/
const NAMES = ['index.ts', 'recipe.ts', 'index.js', 'recipe.js']
/** The file that a path means: itself, or the program in a folder. Undefined where there is none. */
export async function programAt(path: string): Promise<string | undefined> {
  const full = resolve(path)
  const found = await stat(full).catch(() => undefined)
  if (found?.isFile()) return full
  if (!found?.isDirectory()) return undefined
  for (const name of NAMES) if (await stat(join(full, name)).catch(() => undefined)) return join(full, name)
  throw new RunError(`${path} has none of ${NAMES.join(', ')}; name the file to run`)
}

/** Imports the default export of a file that calls `defineRun`. What is wrong in the file is said with its line. */
export async function loadDefinition(file: string): Promise<RunDefinition> {
  if (!PROGRAM.test(file))
    throw new RunError(`${file} is no program: a run is a file of TypeScript (.ts) or JavaScript (.js, .mjs)`)
  let exports: { default?: unknown }
  try {
    exports = await settled(file, () => import(pathToFileURL(file).href))
  } catch (error) {
    throw withPlace(error, file)
  }
  if (exports.default === undefined)
    throw new RunError(`${file} exports no default; write: export default defineRun({ name, train })`)
  try {
    return checkDefinition(exports.default)
  } catch (error) {
    throw new RunError(`${file}: ${(error as Error).message}`)
  }
}

/**
 * Words an error with the place in the user's file that it came through. One without such a place, that names it already, or for which that
 * file is not to blame, is given back as it is: a defect of the library keeps its stack.
 */
export function withPlace(error: unknown, file: string): unknown {
  if (!(error instanceof Error))
    return new RunError(`${file}: threw ${typeof error === 'object' ? inspect(error) : String(error)}`, {
      cause: error,
    })
  if (error instanceof DamagedRun) return error
  const line = lineIn(error, file) ?? (error.cause instanceof Error ? lineIn(error.cause, file) : undefined)
  if (line === undefined || error.message.startsWith(`${line}:`)) return error
  return new RunError(`${line}: ${wordsOf(error)}`, { cause: error })
}

/** The message, where that says all, else the kind of error too. */
function wordsOf({ name, message }: Error): string {
  const first = message.split('\n').find((text) => text.trim() !== '')
  if (first === undefined) return `${name}: it has no message`
  return saysAll(name) ? message : `${name}: ${first.trim()}`
}

/** `path:line` of the first frame in the file, or of another file that the user's folder holds and that cannot be parsed. */
function lineIn(error: Error, file: string): string | undefined {
  const stack = error.stack ?? ''
  const place = /(file:\/\/\/[^\s()]+?|\/[^\s():]+):(\d+)(?::\d+)?\)?$/
  const lines = stack.split('\n')
  const pathOf = (text: string) => (text.startsWith('file:') ? fileURLToPath(text) : text)
  if (error instanceof SyntaxError) {
    const first = place.exec(lines[0]?.trim() ?? '')
    if (first) return `${pathOf(first[1] as string)}:${first[2]}`
  }
  for (const line of lines) {
    const found = place.exec(line.trim())
    if (found && pathOf(found[1] as string) === file) return `${file}:${found[2]}`
  }
  return error instanceof SyntaxError ? file : undefined
}
