import { isStepCount, ToolLoopAgent, tool } from 'ai'
import { z } from 'zod'
import { type Judgement, judgeProgram, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'
import { rewardOf } from './answer-rollout.ts'

/** What the model is told of a program: the visible tests' verdict, short enough for a small context. */
export function testReport({ passed, message, reason }: Judgement): string {
  return passed ? 'passed' : `${reason}: ${message}`.slice(0, 120)
}

/** The verdict of the tests that the model may see. */
export function judgeVisibly(sandbox: TestingSandbox, task: Task, code: string): Promise<Judgement> {
  return judgeProgram(sandbox, { ...task, hiddenTests: task.visibleTests }, code)
}

/**
 * Two tries at a coding task in an agent's loop: the model hands its code to `run_tests`, reads which visible test failed, and hands
 * in a mended one. The last code handed in is judged by the hidden tests. Parts: as `answerRollout`, and `first`, whether
 * the first try was right.
 */
export function repairRollout(sandbox: TestingSandbox, options: { maxTokens: number }): Rollout<Task> {
  return async ({ model, task, signal }) => {
    const tries: string[] = []
    let done = false
    const agent = new ToolLoopAgent({
      model,
      tools: {
        run_tests: tool({
          description: 'Runs the visible tests on the code.',
          inputSchema: z.object({ code: z.string() }),
          async execute({ code }) {
            tries.push(code)
            const verdict = await judgeVisibly(sandbox, task, code)
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
      judgeProgram(sandbox, task, tries[0] ?? null),
      judgeProgram(sandbox, task, tries.at(-1) ?? null),
    ])
    const { reward, parts } = rewardOf(last.passed, last.share)
    return { reward, parts: { ...parts, first: Number(first.passed) } }
  }
}
