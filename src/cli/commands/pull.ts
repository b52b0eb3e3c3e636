import { Command } from 'commander'
import { resolveModel } from '../../engine/resolve/index.ts'
import { nonEmpty } from '../option-parsers.ts'
import { showProgress } from '../show-progress.ts'
import { writeLine } from '../write-line.ts'

export function pullCommand(): Command {
  return new Command('pull')
    .description('Download a model into the cache, or check it for changes, and print its path')
    .argument('<model>', 'hf:owner/name[@revision][/file.gguf] or a short name (smollm2-135m)', nonEmpty)
    .option('--json', 'print {"path": ...}')
    .addHelpText(
      'after',
      `
Environment:
  WHETSTONE_CACHE  where downloads are kept (default: ~/.cache/whetstone)
  HF_ENDPOINT      the hub (default: https://huggingface.co)
  HF_TOKEN         a token for models that need one`,
    )
    .action(async (model: string, options: { json?: boolean }) => {
      const { path } = await resolveModel(model, { onProgress: showProgress(), refresh: true })
      await writeLine(options.json ? JSON.stringify({ path }) : path)
    })
}
