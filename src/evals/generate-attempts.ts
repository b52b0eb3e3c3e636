import { programOfCompletion, programOfMessage } from '../data/answers/program.ts'
import { seededRandom } from '../data/random.ts'
import type { Task } from '../data/tasks/task.ts'
import { encodeChat, endTokens, type Tokenizer } from '../text/index.ts'
import type { Attempt } from './judge-samples.ts'
import { mapInFlight } from './map-in-flight.ts'

/** What an evaluation asks of a model; every `Model` does. */
export interface SamplingModel {
  readonly tokenizer: Tokenizer
  sample(request: {
    prompt: Int32Array
    n: number
    maxTokens: number
    temperature: number
    topP: number
    seed: number
    stopTokens: number[]
    stopStrings: string[]
  }): Promise<{ text: string; stopReason: 'stop' | 'length' | 'aborted' }[]>
}

/** How tasks are put: to a chat model as a message, to a base model as the beginning of a file to go on with. */
export type Prompting = 'chat' | 'completion'

export interface GenerateOptions {
  /** Samples of each task. */
  n: number
  temperature: number
  topP: number
  /** New tokens of a sample at most. */
  maxTokens: number
  /** From 0 to 2^32 - 1. A task's samples depend on this and the task's id, not on the other tasks. */
  seed: number
  prompting: Prompting
  onTask?: (done: number) => void
}

/** An attempt with the model's own words. */
export interface GeneratedAttempt extends Attempt {
  text: string
  stopReason: 'stop' | 'length' | 'aborted'
}

/** Tasks at the model at once; the engine batches them, and more would only hold memory. */
const inFlight = 16

/** Where a base model's continuation leaves the function: the stop sequences of the Codex paper (arXiv 2107.03374). */
const completionStops: Record<'python' | 'ecmascript', string[]> = {
  python: ['\nclass', '\ndef', '\n#', '\nif', '\nprint', '\nassert', '\n"""', '\n@'],
  ecmascript: ['\nfunction', '\nclass', '\nconsole', '\n//', '\n/*', '\nassert'],
}

/** The prompting that suits a model: chat where its checkpoint has a chat template. */
export function defaultPrompting(tokenizer: Tokenizer): Prompting {
  return tokenizer.chatTemplate === undefined ? 'completion' : 'chat'
}

/** n attempts at each task, tasks in order. */
export async function generateAttempts(
  model: SamplingModel,
  tasks: Task[],
  options: GenerateOptions,
): Promise<GeneratedAttempt[]> {
  const { n, temperature, topP, maxTokens, prompting } = options
  const stopTokens = [...endTokens(model.tokenizer)]
  let done = 0
  const attempts = await mapInFlight(tasks, inFlight, async (task) => {
    const samples = await model.sample({
      prompt: promptTokens(model.tokenizer, task, prompting),
      n,
      temperature,
      topP,
      maxTokens,
      seed: seededRandom('samples', options.seed, task.id).integer(0, 2 ** 32 - 1),
      stopTokens,
      stopStrings: prompting === 'completion' ? stopsOf(task) : [],
    })
    done += 1
    options.onTask?.(done)
    return samples.map(({ text, stopReason }) => ({
      task,
      text,
      stopReason,
      program: programOf(task, text, prompting),
    }))
  })
  return attempts.flat()
}

/** The message that puts a task to a chat model. */
export function chatMessage(task: Task): string {
  const language = { javascript: 'JavaScript', typescript: 'TypeScript', python: 'Python' }[task.language]
  const ask = `Answer with the complete ${language} code in one fenced code block.`
  return task.form === 'instruction'
    ? `${task.prompt}\n\n${ask}`
    : `Complete this ${language} code.\n\n\`\`\`${task.language}\n${task.prompt.trimEnd()}\n\`\`\`\n\n${ask}`
}

/** The file that a base model goes on with: the prompt itself, or an instruction as a comment. */
export function completionPrompt(task: Task): string {
  if (task.form === 'completion') return task.prompt
  return task.language === 'python' ? `"""\n${task.prompt}\n"""\n` : `/*\n${task.prompt}\n*/\n`
}

function promptTokens(tokenizer: Tokenizer, task: Task, prompting: Prompting): Int32Array {
  return prompting === 'chat'
    ? encodeChat(tokenizer, [{ role: 'user', content: chatMessage(task) }], { addGenerationPrompt: true })
        .tokens
    : tokenizer.encode(completionPrompt(task), { addSpecial: true, parseSpecial: false })
}

/** An instruction's answer begins with the definition itself, so definitions do not end it. */
function stopsOf(task: Task): string[] {
  const stops = completionStops[task.language === 'python' ? 'python' : 'ecmascript']
  return task.form === 'completion' ? stops : stops.filter((stop) => !/def|class|function|@/.test(stop))
}

function programOf(task: Task, text: string, prompting: Prompting): string | null {
  if (prompting === 'chat') return programOfMessage(task, text)
  const stops = stopsOf(task)
    .map((stop) => text.indexOf(stop))
    .filter((index) => index >= 0)
  return programOfCompletion(task, text.slice(0, Math.min(text.length, ...stops)))
}
