import type { MessagesExample, Task, TestingSandbox } from '../../data/index.ts'
import { conversationOf } from '../conversation-of.ts'
import { mendingExamples } from '../mending-examples.ts'
import { callingTests } from '../run-tests-tool.ts'

/**
 * What fine-tuning shows, of which the last answer is to be learnt: half of the tasks answered, a quarter answered with a call of the tests, a
 * quarter with a wrong answer, what the tests said of it, and the right one.
 */
export async function instruction(sandbox: TestingSandbox, tasks: Task[]): Promise<MessagesExample[]> {
  const quarter = (place: number) => tasks.filter((_, index) => index % 4 === place)
  return [
    ...[...quarter(0), ...quarter(1)].map(conversationOf),
    ...quarter(2).map((task) => callingTests(conversationOf(task))),
    ...(await mendingExamples(sandbox, quarter(3))),
  ]
}
