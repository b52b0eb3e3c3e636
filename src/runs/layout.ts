import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemWords } from '../files/index.ts'
import { DamagedRun, RunError } from './run-error.ts'

const LAYOUT: Readonly<Record<string, 'file' | 'folder'>> = {
  'config.json': 'file',
  'metrics.jsonl': 'file',
  'timing.jsonl': 'file',
  'tokens.json': 'file',
  'finished.json': 'file',
  'card.json': 'file',
  'report.html': 'file',
  lock: 'folder',
  checkpoints: 'folder',
  results: 'folder',
  rollouts: 'folder',
}

/**
 * Refuses a directory that cannot hold a run: a file in its place or above it, something else where a part of it belongs, no
 * permission to read it or, where the run is to go on (`for: 'writing'`), to write.
 */
export async function checkLayout(
  directory: string,
  { for: purpose }: { for: 'reading' | 'writing' },
): Promise<void> {
  const kind = await kindOf(directory)
  if (kind === 'file')
    throw new RunError(`${directory} is a file; a run needs a folder of its own: choose another directory`)
  if (kind === undefined) return
  await checkAccess(directory, 'folder', purpose)
  for (const [name, wanted] of Object.entries(LAYOUT)) {
    const path = join(directory, name)
    const found = await kindOf(path)
    if (found === undefined) continue
    if (found !== wanted)
      throw new RunError(
        `${path} is a ${found}, where a run keeps a ${wanted}; move it away, or choose another directory`,
      )
    await checkAccess(path, wanted, purpose)
  }
}

/** Refuses a directory that holds no run to read. */
export async function checkRun(directory: string): Promise<void> {
  await checkLayout(directory, { for: 'reading' })
  if ((await kindOf(join(directory, 'config.json'))) === undefined)
    throw new RunError(`there is no run in ${directory}: it has no config.json`)
  const metrics = join(directory, 'metrics.jsonl')
  if ((await kindOf(metrics)) === undefined) throw new DamagedRun(`${metrics} is gone; bring the file back`)
}

/** Words what the system said about a path of a run. */
export function pathProblem(path: string, error: unknown): RunError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM')
    return new RunError(
      `${path}: this user has no permission; give it some (chmod u+rwX), or choose another directory`,
      { cause: error },
    )
  if (code === 'EROFS')
    return new RunError(`${path} is on a disk that cannot be written; choose another directory`, {
      cause: error,
    })
  return new RunError(`${path}: ${systemWords(error)}`, { cause: error })
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code !== 'ENOTDIR') throw pathProblem(path, error)
    throw new RunError(
      `${path} cannot be made: ${await fileAbove(path)} is a file, not a folder; choose another directory`,
    )
  }
}

async function fileAbove(path: string): Promise<string> {
  const above = dirname(path)
  return (await stat(above).catch(() => undefined)) ? above : fileAbove(above)
}

async function checkAccess(
  path: string,
  kind: 'file' | 'folder',
  purpose: 'reading' | 'writing',
): Promise<void> {
  const writing = purpose === 'writing' ? constants.W_OK : 0
  const asked = constants.R_OK | writing | (kind === 'folder' ? constants.X_OK : 0)
  await access(path, asked).catch((error) => {
    throw pathProblem(path, error)
  })
}
