import { createInterface } from 'node:readline/promises'
import { type ChatMessage, encodeChat, endTokens } from '../../text/index.ts'
import { CommandError } from '../command-error.ts'
import type { CommandModel, LoadModel } from '../load-model.ts'
import { loadOptions, type ModelOptions, modelCommand } from '../model-options.ts'
import { integer, temperature } from '../option-parsers.ts'

interface ChatOptions extends ModelOptions {
  system?: string
  maxTokens: number
  temperature: number
  seed: number
}

const helpText = `
Type a message and Enter. /reset forgets the conversation, /exit or Ctrl-D leaves, Ctrl-C stops an answer; a single word after / is
taken for a command and never sent.
A model without a chat template (after pretraining alone, say) continues the text instead.
Lines can come from a pipe too: printf 'Hello\\n' | whetstone chat --model smollm2-135m`

export function chatCommand(load: LoadModel): Command {
  return modelCommand('chat')
    .description('Talk to a model in the terminal')
    .option('--system <text>', 'what the model is told first')
    .option(
      '--max-tokens <count>',
      'tokens of an answer at most',
      integer({ minimum: 1, maximum: 1_000_000 }),
      512,
    )
    .option('--temperature <value>', 'of the draw; 0 takes the likeliest token', temperature, 0.7)
    .option('--seed <integer>', 'the same seed and lines give the same answers', integer({ minimum: 0 }), 0)
    .addHelpText('after', helpText)
    .action(async (options: ChatOptions) => talk(await load(options.model, loadOptions(options)), options))
}

type Command = ReturnType<typeof modelCommand>

async function talk(model: CommandModel, options: ChatOptions): Promise<void> {
  const isTerminal = process.stdin.isTTY === true
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: isTerminal,
    prompt: isTerminal ? '> ' : '',
  })
  let answering: AbortController | undefined
  let open = true
  lines.on('close', () => {
    open = false
  })
  lines.on('SIGINT', () => (answering ? answering.abort() : lines.close()))
  const first: ChatMessage[] =
    options.system === undefined ? [] : [{ role: 'system', content: options.system }]
  if (first.length > 0 && model.tokenizer.chatTemplate === undefined)
    throw new CommandError('the model has no chat template, so --system has no place; leave it out')
  let messages = [...first]
  let seed = options.seed
  let saidEncoding = false
  lines.prompt()
  for await (const line of lines) {
    if (line.trim() === '/exit') break
    if (line.trim() === '/reset') messages = [...first]
    else if (line.includes('\uFFFD')) {
      if (!saidEncoding)
        say(
          'a character of that line could not be read as UTF-8, so neither that line nor others like it are sent; set the terminal, or the file, to UTF-8',
        )
      saidEncoding = true
    } else if (/^\s*\/[a-z-]+\s*$/i.test(line))
      say(`there is no ${line.trim()}; /reset and /exit are the commands`)
    else if (line.trim() !== '') {
      answering = new AbortController()
      messages.push({ role: 'user', content: line })
      const answer = await speak(model, messages, { ...options, seed: seed++ }, answering.signal)
      messages.push({ role: 'assistant', content: answer })
      answering = undefined
    }
    if (open) lines.prompt()
  }
  lines.close()
}

/** Says something that is not the model's. */
function say(text: string): void {
  process.stdout.write(`(${text})\n`)
}

/** Writes an answer as it is drawn, and gives it. */
async function speak(
  { tokenizer, info, sample }: CommandModel,
  messages: readonly ChatMessage[],
  { maxTokens, temperature, seed }: ChatOptions,
  signal: AbortSignal,
): Promise<string> {
  const last = messages.at(-1) as ChatMessage
  const prompt =
    tokenizer.chatTemplate === undefined
      ? tokenizer.encode(last.content)
      : encodeChat(tokenizer, messages, { addGenerationPrompt: true }).tokens
  const room = info.context - prompt.length
  if (room < 1) {
    say(`the conversation fills the model's ${info.context} tokens; /reset begins anew`)
    return ''
  }
  const [answer] = await sample({
    prompt,
    n: 1,
    maxTokens: Math.min(maxTokens, room),
    temperature,
    topK: 0,
    topP: 1,
    minP: 0,
    seed,
    stopTokens: [...endTokens(tokenizer)],
    stopStrings: [],
    signal,
    onToken: ({ text }) => void process.stdout.write(text),
  })
  const { text, stopReason } = answer as NonNullable<typeof answer>
  process.stdout.write(stopReason === 'stop' ? '\n' : ` [${stopReason}]\n`)
  return text
}
