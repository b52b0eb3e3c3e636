import { generateTasks, type Task } from '../../data/index.ts'
import { collectGroups, createPolicy, type Rollout } from '../../rollouts/index.ts'
import { scriptedModel } from '../../rollouts/testing/scripted-model.ts'
import { solutionMessage } from '../conversation-of.ts'
import { tinyTokenizer } from '../tiny-code/tiny-model.ts'

/** A coding task, with an answer that is right and one that is wrong. */
export const [task] = generateTasks({
  seed: 1,
  count: 1,
  split: 'train',
  languages: ['javascript'],
  levels: [2],
}) as [Task]
export const right = solutionMessage(task)
export const wrong = `\`\`\`javascript\nfunction ${task.entryPoint}() {\n  return null\n}\n\`\`\``

/** One rollout of a model that gives these answers in turn, with the prompts it was given. */
export async function play(rollout: Rollout<Task>, answers: string[]) {
  const prompts: string[] = []
  const model = scriptedModel(await tinyTokenizer([task.prompt, right]), (prompt) => {
    prompts.push(prompt)
    return answers[prompts.length - 1] ?? 'no more answers were expected'
  })
  const policy = createPolicy(model, { maxTokens: 1000 })
  const collected = await collectGroups({
    policy,
    tasks: [{ id: task.id, task }],
    rollout,
    groupSize: 1,
    seed: 1,
    step: 0,
    onFailure: 'throw',
  })
  return { prompts, trajectory: collected.groups[0]!.trajectories[0]! }
}
