import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadFile, fileDownloadInfo, type ListFileEntry, listFiles } from '@huggingface/hub'
import { writeFileAtomically } from '../../files/index.ts'
import type { OnProgress } from './progress.ts'
import { isWhole, receiveFile } from './receive-file.ts'
import { fullMessage, ResolveError } from './resolve-error.ts'
import { withLock } from './with-lock.ts'

export interface HubModel {
  /** `owner/name`. */
  repository: string
  /** A branch, tag or commit. */
  revision: string
  /** One `.gguf` file of the repository, rather than its safetensors checkpoint. */
  file?: string
}

export interface HubOptions {
  cache: string
  onProgress: OnProgress
  /** Ask the hub for changes even where the cache is complete. */
  refresh: boolean
  environment: NodeJS.ProcessEnv
  signal?: AbortSignal
}

/** The hub did not answer, as opposed to answering with a refusal. */
export class HubUnreachable extends ResolveError {
  override name = 'HubUnreachable'
}

const ANSWER_MS = 20_000
const STALL_MS = 60_000
const CHECKPOINT_FILES =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map)\.json$|^chat_template\.jinja$|^model[\w.-]*\.safetensors$|^model\.safetensors\.index\.json$/
const COMPLETE = '.complete.json'

/** Parses `owner/name`, `owner/name@revision`, either with `/file.gguf` after the name. */
export function parseHubName(name: string): HubModel {
  const match = /^([\w.-]+\/[\w.-]+?)(?:@([\w./-]+?))?(?:\/([\w.-]+\.gguf))?$/.exec(name)
  const repository = match?.[1]
  if (!match || !repository || repository.split('/').some((part) => /^\.+$/.test(part)))
    throw new ResolveError(
      `hf:${name} is not a hub model; write hf:owner/name, hf:owner/name@revision or hf:owner/name/file.gguf`,
    )
  return { repository, revision: match[2] ?? 'main', ...(match[3] !== undefined && { file: match[3] }) }
}

/** The folder (or `.gguf` file) of a hub model in the cache; fetched where it is not there in whole. */
export async function resolveHubModel(model: HubModel, options: HubOptions): Promise<string> {
  const directory = hubDirectory(model, options.cache)
  const path = model.file === undefined ? directory : join(directory, model.file)
  if (!options.refresh && (await isComplete(directory, model))) return path
  return withLock(
    `${directory}.lock`,
    async () => {
      // Another process may have fetched it while this one waited.
      if (options.refresh || !(await isComplete(directory, model)))
        await fetchModel(model, directory, options)
      return path
    },
    options.signal,
  )
}

/** Whether the cache holds the whole model, so that no network is needed. */
export function isCached(model: HubModel, cache: string): Promise<boolean> {
  return isComplete(hubDirectory(model, cache), model)
}

function hubDirectory(model: HubModel, cache: string): string {
  return join(cache, 'models', 'hub', `${model.repository}@${model.revision}`.replaceAll('/', '--'))
}

async function fetchModel(model: HubModel, directory: string, options: HubOptions): Promise<void> {
  const request = requestOptions(model, options)
  const entries = await listing(model, request)
  const wanted = select(model, entries)
  const before = await manifest(directory)
  const done: Record<string, string> = { ...before }
  for (const entry of wanted) {
    const digest = entry.lfs ? { sha256: entry.lfs.oid } : { gitBlob: entry.oid ?? '' }
    const id = Object.values(digest)[0] as string
    const size = entry.lfs?.size ?? entry.size
    if (before[entry.path] === id && (await isWhole({ size, digest }, join(directory, entry.path)))) continue
    const stalled = new AbortController()
    const fetchWatched = watchedFetch(stalled.signal, options.signal)
    const stream = async (from: number) => {
      const asking = watchedFetch(AbortSignal.timeout(ANSWER_MS), options.signal)
      const downloadInfo = await fileDownloadInfo({ ...request, path: entry.path, fetch: asking })
      const blob =
        downloadInfo &&
        (await downloadFile({ ...request, path: entry.path, fetch: fetchWatched, downloadInfo }))
      if (!blob) throw new ResolveError(`${model.repository} lists ${entry.path} but does not have it`)
      return chunksOf(blob.slice(from, blob.size), stalled)
    }
    const remote = { name: entry.path, size, digest, stream }
    try {
      await receiveFile(remote, join(directory, entry.path), options.onProgress)
    } catch (error) {
      throw explained(error, model, options)
    }
    done[entry.path] = id
    await writeFileAtomically(join(directory, COMPLETE), `${JSON.stringify(done, null, 2)}\n`)
  }
  if (!(await isComplete(directory, model)))
    throw new ResolveError(`hf:${model.repository} lacks weights that its model.safetensors.index.json names`)
}

async function listing(
  model: HubModel,
  request: ReturnType<typeof requestOptions>,
): Promise<ListFileEntry[]> {
  const entries: ListFileEntry[] = []
  const answer = AbortSignal.timeout(ANSWER_MS)
  try {
    for await (const entry of listFiles({ ...request, fetch: watchedFetch(answer, request.signal) }))
      entries.push(entry)
  } catch (error) {
    throw explained(error, model, request)
  }
  return entries
}

function requestOptions(model: HubModel, options: HubOptions) {
  const { HF_ENDPOINT, HF_TOKEN } = options.environment
  if (HF_ENDPOINT && !/^https?:$/.test(URL.parse(HF_ENDPOINT)?.protocol ?? ''))
    throw new ResolveError(
      `HF_ENDPOINT is "${HF_ENDPOINT}", which is no address of a hub; write one as https://huggingface.co, or unset it`,
    )
  if (HF_TOKEN && !/^hf_\S+$/.test(HF_TOKEN))
    throw new ResolveError(
      'HF_TOKEN is no token of the hub, which begins with hf_; copy it anew from the settings of your account, or unset it',
    )
  return {
    repo: model.repository,
    revision: model.revision,
    environment: options.environment,
    ...(HF_ENDPOINT && { hubUrl: HF_ENDPOINT.replace(/\/+$/, '') }),
    ...(HF_TOKEN && { accessToken: HF_TOKEN }),
    ...(options.signal && { signal: options.signal }),
  }
}

function select(model: HubModel, entries: ListFileEntry[]): ListFileEntry[] {
  const files = entries.filter((entry) => entry.type === 'file')
  const ggufs = files.filter(({ path }) => path.endsWith('.gguf')).map(({ path }) => path)
  if (model.file !== undefined) {
    const found = files.filter(({ path }) => path === model.file)
    if (found.length > 0) return found
    throw new ResolveError(
      `${model.repository} has no ${model.file}; it has ${ggufs.join(', ') || 'no .gguf files'}`,
    )
  }
  const wanted = files.filter(({ path }) => CHECKPOINT_FILES.test(path))
  if (
    wanted.some(({ path }) => path.endsWith('.safetensors')) &&
    wanted.some(({ path }) => path === 'config.json')
  )
    // The weights last, so that a wrong model is noticed before the long part.
    return wanted.sort((a, b) => a.size - b.size)
  const instead = ggufs.length > 0 ? `; name one of its files: hf:${model.repository}/${ggufs[0]}` : ''
  throw new ResolveError(`${model.repository} has no config.json with model*.safetensors${instead}`)
}

async function manifest(directory: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(join(directory, COMPLETE), 'utf8'))
  } catch {
    return {}
  }
}

async function isComplete(directory: string, model: HubModel): Promise<boolean> {
  const files = Object.keys(await manifest(directory))
  if (model.file !== undefined) return files.includes(model.file)
  const index = await readFile(join(directory, 'model.safetensors.index.json'), 'utf8').catch(() => undefined)
  const shards = index === undefined ? ['model.safetensors'] : shardsOf(index)
  return ['config.json', ...shards].every((file) => files.includes(file))
}

function shardsOf(index: string): string[] {
  try {
    return [...new Set(Object.values(JSON.parse(index).weight_map ?? {}).map(String))]
  } catch {
    // Opening the checkpoint says what is wrong with it.
    return []
  }
}

function watchedFetch(...signals: (AbortSignal | undefined)[]): typeof fetch {
  const signal = AbortSignal.any(signals.filter((one) => one !== undefined))
  return (input, init) => fetch(input, { ...init, signal })
}

async function* chunksOf(blob: Blob, stalled: AbortController): AsyncGenerator<Uint8Array> {
  const timer = setTimeout(
    () => stalled.abort(new Error(`nothing was received for ${STALL_MS / 1000} s`)),
    STALL_MS,
  )
  try {
    for await (const chunk of blob.stream()) {
      timer.refresh()
      yield chunk
    }
  } finally {
    clearTimeout(timer)
  }
}

function explained(
  error: unknown,
  model: HubModel,
  { environment }: { environment: NodeJS.ProcessEnv },
): Error {
  if (error instanceof ResolveError) return error
  const status = (error as { statusCode?: number }).statusCode
  const where = `hf:${model.repository} at ${environment.HF_ENDPOINT || 'https://huggingface.co'}`
  if (status === undefined)
    return new HubUnreachable(
      `${where} cannot be reached: ${fullMessage(error)}; check the network, or set HF_ENDPOINT`,
    )
  if (status === 401 || status === 403 || status === 404)
    return new ResolveError(
      `${where}: no such model or revision (${model.revision}), or it needs a token that may read it (set HF_TOKEN): ${fullMessage(error)}`,
    )
  if (status >= 500)
    return new HubUnreachable(`${where} answers with status ${status}: ${fullMessage(error)}`)
  return new ResolveError(`${where}: ${fullMessage(error)}`)
}
