import { Command, Option } from 'commander'
import { integer, nonEmpty } from './option-parsers.ts'

export interface ModelOptions {
  model: string
  precision: 'f32' | 'bf16'
  threads?: number
  base?: string
}

/** A command with the options that say which model to load and how. */
export function modelCommand(name: string): Command {
  return new Command(name)
    .requiredOption(
      '--model <name>',
      'a checkpoint or adapter folder, a .gguf file, hf:owner/name, or a short name (smollm2-135m)',
      nonEmpty,
    )
    .addOption(baseOption())
    .addOption(
      new Option('--precision <type>', 'of products; sums are in f32')
        .choices(['f32', 'bf16'])
        .default('bf16'),
    )
    .option('--threads <count>', 'CPU threads (default: one a core)', integer({ minimum: 1, maximum: 1024 }))
}

/** What an adapter is put on. */
export function baseOption(): Option {
  return new Option(
    '--base <name>',
    'of an adapter folder: the model below the adapter (default: the one that the folder names)',
  ).argParser(nonEmpty)
}

/** The options as `loadModel` takes them. */
export function loadOptions({ precision, threads, base }: ModelOptions) {
  return { precision, ...(threads !== undefined && { threads }), ...(base !== undefined && { base }) }
}
