import type { MessagesExample, Task } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'

/** The task as a question and its reference solution as the answer, as evaluations put and read them. */
export function conversationOf(task: Task): MessagesExample {
  return conversationWith(task, solutionMessage(task))
}

/** The task as a question and this answer. */
export function conversationWith(task: Task, answer: string): MessagesExample {
  return {
    messages: [
      { role: 'user', content: chatMessage(task) },
      { role: 'assistant', content: answer },
    ],
  }
}

/** The reference solution as a message: one fenced block. */
export function solutionMessage(task: Task): string {
  return `\`\`\`${task.language}\n${referenceOf(task)}\`\`\``
}

/** @throws Error for a task without a reference solution */
export function referenceOf({ id, reference }: Task): string {
  if (reference === undefined) throw new Error(`${id} has no reference solution`)
  return reference
}
