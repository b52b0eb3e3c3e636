import type { Command } from 'commander'
import { LEAST_TEMPERATURE } from '../../engine/limits.ts'
import { CommandError } from '../command-error.ts'
import type { LoadModel } from '../load-model.ts'
import { loadOptions, type ModelOptions, modelCommand } from '../model-options.ts'
import { nonEmpty, number } from '../option-parsers.ts'
import { readTokenLines } from '../read-token-lines.ts'
import { writeLine } from '../write-line.ts'

interface ScoreOptions extends ModelOptions {
  tokens: string
  temperature: number
  json?: boolean
}

/** Tokens scored in one call, so that a file of any size needs little memory. */
const BATCH_TOKENS = 16_384

export function scoreCommand(load: LoadModel): Command {
  return modelCommand('score')
    .description('Score rows of tokens: log-probability and entropy (nats) of each token after the first')
    .requiredOption(
      '--tokens <file>',
      'a file with a JSON array of token ids on each line; - is standard input',
      nonEmpty,
    )
    .option(
      '--temperature <value>',
      'of the distribution scored',
      number({ minimum: LEAST_TEMPERATURE, maximum: 100 }),
      1,
    )
    .option('--json', 'print a line a row: {logprobs, entropy}, entry i about token i + 1')
    .action(async (options: ScoreOptions) => {
      const model = await load(options.model, loadOptions(options))
      for await (const rows of batches(readTokenLines(options.tokens, model.info), BATCH_TOKENS)) {
        const asked = rows.filter((row) => row.length > 1)
        const outputs = await model.forward(
          asked.map((row) => ({ input: row.slice(0, -1), target: row.slice(1) })),
          { entropy: true, temperature: options.temperature },
        )
        let next = 0
        for (const row of rows) {
          const output = row.length > 1 ? outputs[next++] : undefined
          if (output?.logprobs.some(Number.isNaN))
            throw new CommandError(
              `${options.model} gives no log-probabilities, only NaN: its weights are damaged, or training left them so`,
            )
          await writeLine(rowLine(output?.logprobs ?? [], output?.entropy ?? [], options.json ?? false))
        }
      }
    })
}

function rowLine(logprobs: ArrayLike<number>, entropy: ArrayLike<number>, json: boolean): string {
  const lists = { logprobs: Array.from(logprobs), entropy: Array.from(entropy) }
  if (json) return JSON.stringify(lists)
  const mean = (values: number[]) =>
    values.length === 0 ? '-' : (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(4)
  return `tokens ${lists.logprobs.length}  mean logprob ${mean(lists.logprobs)}  mean entropy ${mean(lists.entropy)}`
}

async function* batches(rows: AsyncIterable<Int32Array>, tokens: number): AsyncGenerator<Int32Array[]> {
  let batch: Int32Array[] = []
  let size = 0
  for await (const row of rows) {
    if (batch.length > 0 && size + row.length > tokens) {
      yield batch
      batch = []
      size = 0
    }
    batch.push(row)
    size += row.length
  }
  if (batch.length > 0) yield batch
}
