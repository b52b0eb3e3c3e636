import { setImmediate } from 'node:timers/promises'
import { loadModel } from '../engine/index.ts'
import { systemWords } from '../files/index.ts'
import * as recipes from '../recipes/find-recipe.ts'
import { chatCommand } from './commands/chat.ts'
import { compareCommand } from './commands/compare.ts'
import { doctorCommand } from './commands/doctor.ts'
import { evalCommand } from './commands/eval.ts'
import { pullCommand } from './commands/pull.ts'
import { reportCommand } from './commands/report.ts'
import { sampleCommand } from './commands/sample.ts'
import { sandboxCommand } from './commands/sandbox.ts'
import { scoreCommand } from './commands/score.ts'
import { tasksCommand } from './commands/tasks.ts'
import { trainCommand } from './commands/train.ts'
import type { LoadModel } from './load-model.ts'
import { exitAsExpected, failInWords } from './premature-exit.ts'
import { createProgram, runProgram } from './program.ts'
import { showProgress } from './show-progress.ts'

const load: LoadModel = (name, options) => loadModel(name, { ...options, onProgress: showProgress() })

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return exitAsExpected(0)
  failInWords(`standard output cannot be written: ${systemWords(error)}`)
})
// What cannot be shown on the way (a full disk behind it, a closed terminal) ends no training.
process.stderr.on('error', () => {})
const commands = [
  pullCommand(),
  sampleCommand(load),
  chatCommand(load),
  scoreCommand(load),
  evalCommand(load),
  compareCommand(),
  tasksCommand(),
  trainCommand(recipes),
  reportCommand(),
  sandboxCommand(),
  doctorCommand(),
]
await runProgram(createProgram(commands), process.argv.slice(2))
// Of what could not be written the listener above is told in this turn still, and ends the process as a failure.
await setImmediate()
// What a program left under way, its timers or its servers, does not keep the process once all is written.
process.stdout.write('', () => process.stderr.write('', () => process.exit()))
