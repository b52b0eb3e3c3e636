import type { Task } from '../tasks/task.ts'
import { definesName, extractAnswer } from './extract-answer.ts'

/** The program of a raw completion: HumanEval's way, `prompt + completion`; of an instruction, the completion itself. */
export function programOfCompletion(task: Task, completion: string): string {
  return task.form === 'completion' ? task.prompt + completion : completion
}

/**
 * The program of a chat model's message, null when the message has no code. A `completion` task's prompt is a program
 * begun: an answer that defines the entry point again follows the prompt's lines above the entry point (its imports and
 * helpers); an answer that does not is taken as the function's body and follows the whole prompt.
 */
export function programOfMessage(task: Task, message: string): string | null {
  const code = extractAnswer(message, task)
  if (code === null || task.form === 'instruction') return code
  return definesName(code, task.entryPoint, task.language) ? preamble(task) + code : task.prompt + code
}

function preamble(task: Task): string {
  const lines = task.prompt.split('\n')
  const definition = lines.findLastIndex((line) => definesName(line, task.entryPoint, task.language))
  return definition > 0 ? `${lines.slice(0, definition).join('\n')}\n` : ''
}
