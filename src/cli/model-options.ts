import { Command, Option } from 'commander'
import { integer } from './option-parsers.ts'

export interface ModelOptions {
  model: string
  precision: 'f32' | 'bf16'
  threads?: number
}

/** A command with the options that say which model to load and how. */
export function modelCommand(name: string): Command {
  return new Command(name)
    .requiredOption(
      '--model <name>',
      'a checkpoint folder, a .gguf file, hf:owner/name, or a short name (smollm2-135m)',
    )
    .addOption(
      new Option('--precision <type>', 'of products; sums are in f32')
        .choices(['f32', 'bf16'])
        .default('bf16'),
    )
    .option('--threads <count>', 'CPU threads (default: one a core)', integer({ minimum: 1, maximum: 1024 }))
}

/** The options as `loadModel` takes them. */
export function loadOptions({ precision, threads }: ModelOptions) {
  return { precision, ...(threads !== undefined && { threads }) }
}
