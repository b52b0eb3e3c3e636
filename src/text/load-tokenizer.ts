import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomically } from '../files/index.ts'
import { checkDirectory, checkObject, checkText } from './check-arguments.ts'
import { told } from './native-errors.ts'
import { binding } from './native-tokenizer.ts'
import { messageOf, TextError } from './text-error.ts'
import { createTokenizer, type Tokenizer } from './tokenizer.ts'

export interface TokenizerSource {
  /** The text of a `tokenizer.json`. */
  tokenizerJson: string
  chatTemplate?: string | undefined
  /** Special tokens as written in the vocabulary. */
  bosToken?: string | undefined
  eosToken?: string | undefined
  /** Further ids that end generation, as in `generation_config.json`. */
  stopTokenIds?: readonly number[] | undefined
}

/** Builds a tokenizer from the text of its files. Errors: a `tokenizer.json` that is not valid, tokens it lacks. */
export function loadTokenizer(source: TokenizerSource): Tokenizer {
  checkObject('the source', source)
  const { tokenizerJson, ...parts } = source
  checkText('tokenizerJson', tokenizerJson)
  return createTokenizer(
    told(() => binding.NativeTokenizer.fromJson(tokenizerJson)),
    parts,
  )
}

const token = z.union([z.string(), z.object({ content: z.string() }).transform((value) => value.content)])
const tokenizerConfig = z.object({
  bos_token: token.nullish(),
  eos_token: token.nullish(),
  chat_template: z
    .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
    .nullish(),
})
const id = z.int().nonnegative()
const generationConfig = z.object({ eos_token_id: z.union([id, z.array(id)]).nullish() })

/**
 * Loads the tokenizer of a Hugging Face checkpoint folder: `tokenizer.json`, and where present `tokenizer_config.json`,
 * `chat_template.jinja` (which wins over a template in the config) and `generation_config.json`.
 */
export async function loadTokenizerFolder(directory: string): Promise<Tokenizer> {
  checkDirectory('the directory', directory)
  const tokenizerJson = await read(join(directory, 'tokenizer.json'))
  if (tokenizerJson === undefined) throw new TextError(`${directory} has no tokenizer.json`)
  const config = await readJson(join(directory, 'tokenizer_config.json'), tokenizerConfig)
  const generation = await readJson(join(directory, 'generation_config.json'), generationConfig)
  const template = await read(join(directory, 'chat_template.jinja'))
  try {
    return loadTokenizer({
      tokenizerJson,
      chatTemplate: template ?? defaultTemplate(config?.chat_template),
      bosToken: config?.bos_token ?? undefined,
      eosToken: config?.eos_token ?? undefined,
      stopTokenIds: [generation?.eos_token_id ?? []].flat(),
    })
  } catch (error) {
    throw new TextError(`${directory}: ${messageOf(error)}`)
  }
}

/** Writes a tokenizer's files into a folder, each atomically, as `loadTokenizerFolder` and `transformers` read them. */
export async function saveTokenizerFolder(tokenizer: Tokenizer, directory: string): Promise<void> {
  checkDirectory('the directory', directory)
  await writeFileAtomically(join(directory, 'tokenizer.json'), tokenizer.toJson())
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: tokenizer.bosToken ?? null,
    eos_token: tokenizer.eosToken ?? null,
  }
  await writeFileAtomically(join(directory, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`)
  if (tokenizer.chatTemplate !== undefined)
    await writeFileAtomically(join(directory, 'chat_template.jinja'), tokenizer.chatTemplate)
  if (tokenizer.stopTokenIds.length > 0) {
    const generation = { eos_token_id: tokenizer.stopTokenIds }
    await writeFileAtomically(
      join(directory, 'generation_config.json'),
      `${JSON.stringify(generation, null, 2)}\n`,
    )
  }
}

function defaultTemplate(template: string | { name: string; template: string }[] | null | undefined) {
  if (!Array.isArray(template)) return template ?? undefined
  return template.find(({ name }) => name === 'default')?.template
}

async function read(path: string): Promise<string | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new TextError(`${path} cannot be read: ${messageOf(error)}`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new TextError(`${path} is not valid UTF-8`)
  }
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await read(path)
  if (text === undefined) return undefined
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new TextError(`${path} is not valid JSON: ${messageOf(error)}`)
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new TextError(`${path}: ${issue?.path.join('.')}: ${issue?.message}`)
}
