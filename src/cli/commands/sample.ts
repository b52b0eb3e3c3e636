import type { Command } from 'commander'
import { encodeChat, endTokens, type Tokenizer } from '../../text/index.ts'
import { CommandError } from '../command-error.ts'
import { readInputText } from '../input-files.ts'
import type { LoadModel } from '../load-model.ts'
import { loadOptions, type ModelOptions, modelCommand } from '../model-options.ts'
import { collectText, integer, nonEmpty, number, temperature } from '../option-parsers.ts'
import { writeLine } from '../write-line.ts'

interface SampleOptions extends ModelOptions {
  prompt?: string
  promptFile?: string
  chat?: boolean
  n: number
  maxTokens: number
  temperature: number
  topK: number
  topP: number
  minP: number
  seed: number
  stop?: string[]
  json?: boolean
}

const UINT32_MAXIMUM = 2 ** 32 - 1

export function sampleCommand(load: LoadModel): Command {
  return modelCommand('sample')
    .description('Continue a prompt with tokens drawn from a model')
    .option('--prompt <text>', 'the text to continue')
    .option('--prompt-file <file>', 'read it from a file instead', nonEmpty)
    .option('--chat', "treat the prompt as a user's message, by the model's chat template")
    .option('--n <count>', 'samples', integer({ minimum: 1, maximum: 10_000 }), 1)
    .option(
      '--max-tokens <count>',
      'new tokens of a sample at most',
      integer({ minimum: 1, maximum: 1_000_000 }),
      128,
    )
    .option('--temperature <value>', 'of the distribution; 0 takes the likeliest token', temperature, 1)
    .option(
      '--top-k <count>',
      'draw from the k likeliest tokens; 0 from all',
      integer({ minimum: 0, maximum: UINT32_MAXIMUM }),
      0,
    )
    .option(
      '--top-p <share>',
      'draw from the likeliest tokens of this total probability',
      number({ minimum: 0, maximum: 1, above: true }),
      1,
    )
    .option(
      '--min-p <share>',
      'leave out tokens below this share of the likeliest',
      number({ minimum: 0, maximum: 1 }),
      0,
    )
    .option(
      '--seed <integer>',
      'the same seed gives the same samples',
      integer({ minimum: 0, maximum: UINT32_MAXIMUM }),
      0,
    )
    .option('--stop <text>', 'end a sample where this text appears; may be given several times', collectText)
    .option('--json', 'print a line a sample: {text, promptTokens, tokens, logprobs (nats), stopReason}')
    .action(async (options: SampleOptions, command: Command) => {
      checkUsage(options, command)
      const prompt = await promptText(options)
      const model = await load(options.model, loadOptions(options))
      const samples = await model.sample({
        prompt: promptTokens(model.tokenizer, prompt, options.chat ?? false),
        n: options.n,
        maxTokens: options.maxTokens,
        temperature: options.temperature,
        topK: options.topK,
        topP: options.topP,
        minP: options.minP,
        seed: options.seed,
        stopTokens: [...endTokens(model.tokenizer)],
        stopStrings: options.stop ?? [],
      })
      for (const [index, sample] of samples.entries()) {
        if (options.json) await writeLine(sampleLine(sample))
        else
          await writeLine(
            options.n > 1 ? `--- sample ${index + 1} (${sample.stopReason})\n${sample.text}` : sample.text,
          )
      }
    })
}

type Sample = Awaited<ReturnType<Awaited<ReturnType<LoadModel>>['sample']>>[number]

function sampleLine({ text, promptTokens, tokens, logprobs, stopReason }: Sample): string {
  return JSON.stringify({
    text,
    promptTokens: [...promptTokens],
    tokens: [...tokens],
    logprobs: [...logprobs],
    stopReason,
  })
}

function checkUsage({ prompt, promptFile }: SampleOptions, command: Command): void {
  if ((prompt === undefined) === (promptFile === undefined))
    command.error('error: give the text to continue by one of --prompt and --prompt-file')
  if (prompt === '') command.error('error: --prompt is empty; a model continues at least one token')
}

async function promptText({ prompt, promptFile }: SampleOptions): Promise<string> {
  return prompt ?? (await readInputText(promptFile as string))
}

function promptTokens(tokenizer: Tokenizer, prompt: string, chat: boolean): Int32Array {
  const tokens = chat
    ? encodeChat(tokenizer, [{ role: 'user', content: prompt }], { addGenerationPrompt: true }).tokens
    : tokenizer.encode(prompt)
  if (tokens.length === 0) throw new CommandError('the prompt has no tokens; a model continues at least one')
  return tokens
}
