import { isStepCount, ToolLoopAgent, tool, wrapLanguageModel } from 'ai'
import { z } from 'zod'
import { type Judgement, judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'

/** What the tool tells of a program: the visible tests' verdict, short enough for a small context. */
export function testReport({ passed, message, reason }: Judgement): string {
  return passed ? 'passed' : `${reason}: ${message}`.slice(0, 120)
}

/** The verdict of the tests that the model may see. */
export function judgeVisibly(sandbox: TestingSandbox, task: Task, answer: string): Promise<Judgement> {
  return judgeAnswer(sandbox, { ...task, hiddenTests: task.visibleTests }, answer)
}

/**
 * Two tries at a coding task in an agent's loop: the model answers and calls `run_tests`, which runs the visible tests on the code of that
 * answer; where one fails, the model reads which and answers again. The last answer is judged by the hidden tests: worth 1 where
 * all pass, else 0. Parts: as `answerRollout`, and `first`, whether the first answer was right.
 */
export function repairRollout(sandbox: TestingSandbox, options: { maxTokens: number }): Rollout<Task> {
  return async ({ model, task, signal }) => {
    const answers: string[] = []
    let done = false
    const agent = new ToolLoopAgent({
      model: hearing(model, (text) => answers.push(text)),
      tools: {
        run_tests: tool({
          description: 'Runs the visible tests on the code of this answer.',
          inputSchema: z.object({}),
          async execute() {
            const verdict = await judgeVisibly(sandbox, task, answers.at(-1) ?? '')
            done = verdict.passed
            return testReport(verdict)
          },
        }),
      },
      stopWhen: [isStepCount(2), () => done],
      maxOutputTokens: options.maxTokens,
      maxRetries: 0,
    })
    await agent.generate({ prompt: chatMessage(task), abortSignal: signal })
    const [first, last] = await Promise.all([
      judgeAnswer(sandbox, task, answers[0] ?? ''),
      judgeAnswer(sandbox, task, answers.at(-1) ?? ''),
    ])
    const passed = Number(last.passed)
    return { reward: passed, parts: { passed, tests: last.share, first: Number(first.passed) } }
  }
}

type PolicyModel = Parameters<Rollout<Task>>[0]['model']

/** The model, telling the text of each answer before its tool calls are carried out. */
function hearing(model: PolicyModel, hear: (text: string) => void): PolicyModel {
  return wrapLanguageModel({
    model,
    middleware: {
      specificationVersion: 'v4',
      async wrapGenerate({ doGenerate }) {
        const answer = await doGenerate()
        hear(answer.content.map((part) => (part.type === 'text' ? part.text : '')).join(''))
        return answer
      },
    },
  })
}
