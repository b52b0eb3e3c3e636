import type { MessagesExample, Task, TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import { mapInFlight } from '../evals/map-in-flight.ts'
import { referenceOf, solutionMessage } from './conversation-of.ts'
import { callingTests } from './run-tests-tool.ts'
import { testReport } from './test-report.ts'

/** A first answer that called the tests, what they told of it, and the answer that mends it. */
export function mendingConversation(
  task: Task,
  { wrong, report, mended }: { wrong: string; report: string; mended: string },
): MessagesExample {
  return callingTests({
    messages: [
      { role: 'user', content: chatMessage(task) },
      { role: 'assistant', content: wrong },
      { role: 'tool', toolCallId: 'call_0', content: report },
      { role: 'assistant', content: mended },
    ],
  })
}

/** Tasks judged at once: enough to keep the sandbox's workers busy. */
const inFlight = 16

/**
 * A mending conversation of each task with a reference solution: the wrong answer is the solution of the next task that shares an operation with it,
 * under its name, and the report is what its visible tests say of that. None of a task without such a neighbour, or where that one's solution passes.
 */
export async function mendingExamples(sandbox: TestingSandbox, tasks: Task[]): Promise<MessagesExample[]> {
  const examples = await mapInFlight([...tasks.entries()], inFlight, async ([index, task]) => {
    const others = [...tasks.slice(index + 1), ...tasks.slice(0, index)]
    const neighbour = others.find(({ tags }) =>
      tags.some((tag) => isOperation(tag) && task.tags.includes(tag)),
    )
    if (!neighbour) return []
    const renamed = referenceOf(neighbour).replaceAll(
      new RegExp(`\\b${neighbour.entryPoint}\\b`, 'g'),
      task.entryPoint,
    )
    const wrong = solutionMessage({ ...task, reference: renamed })
    const report = await testReport(sandbox, task, wrong)
    if (report === undefined) return []
    return [mendingConversation(task, { wrong, report, mended: solutionMessage(task) })]
  })
  return examples.flat()
}

const isOperation = (tag: string) => tag !== 'generated'
