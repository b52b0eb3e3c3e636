import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { executeRun, isInterruption, loadDefinition, programAt, withPlace } from '../../runs/index.ts'
import { CommandError } from '../command-error.ts'
import { collect, integer, nonEmpty } from '../option-parsers.ts'
import { refusePrematureExit } from '../premature-exit.ts'
import { shortestPath } from '../shortest-path.ts'
import { type StepsOnScreen, showSteps } from '../show-steps.ts'
import { writeLine } from '../write-line.ts'

const INTERRUPTED = 130

interface TrainOptions {
  run: string
  resume?: true
  set: string[]
  seed?: number
  json?: true
}

/** Recipes that come with the package. */
export interface Recipes {
  /** The file of one by its name. */
  findRecipe(name: string): string | undefined
  recipeNames(): string[]
}

export function trainCommand(recipes: Recipes): Command {
  return new Command('train')
    .description(
      'Run a training program into a directory: configuration, metrics, rollouts, checkpoints, report',
    )
    .argument(
      '<program>',
      'a file whose default export is defineRun({...}), a folder with one, or recipes/NAME',
      nonEmpty,
    )
    .requiredOption('--run <directory>', 'where the run is kept', nonEmpty)
    .option('--resume', 'go on with the run that is there, after a kill, a full disk or Ctrl-C')
    .option(
      '--set <key=value>',
      "one of the program's options, as learningRate=1e-4; may be given several times",
      collect,
      [],
    )
    .option('--seed <integer>', "in place of the program's", integer({ minimum: 0 }))
    .option('--json', 'print a line of JSON a step, and one with the digest at the end')
    .addHelpText(
      'after',
      `
Ctrl-C ends the run after the step in hand, with a checkpoint, or in a measurement, which begins anew on a resume; a second one ends it at once.
The last line is the digest of weights, optimisers, metrics, rollouts and results: two runs of one configuration have the same, resumed or not.
Exit codes: 0 the run went to its end, 1 failure, 2 wrong usage, ${INTERRUPTED} stopped by Ctrl-C.`,
    )
    .action((program: string, options: TrainOptions) => train(program, options, recipes))
}

async function train(
  name: string,
  options: TrainOptions,
  { findRecipe, recipeNames }: Recipes,
): Promise<void> {
  const file = (await programAt(name)) ?? findRecipe(name)
  if (file === undefined)
    throw new CommandError(
      `there is no file, folder or recipe ${name}; the recipes are ${recipeNames().join(', ')}`,
    )
  const screen = showSteps()
  const stop = stopOnSignals(screen)
  const over = refusePrematureExit(name, {
    expected: INTERRUPTED,
    wordsOf: (error) => withPlace(error, file),
    beforeWords: () => screen.stop(),
  })
  try {
    const definition = await loadDefinition(file)
    const { digest, report } = await executeRun(definition, {
      directory: options.run,
      settings: options.set,
      ...(options.seed !== undefined && { seed: options.seed }),
      resume: options.resume ?? false,
      program: {
        file,
        sha256: createHash('sha256')
          .update(await readFile(file))
          .digest('hex'),
      },
      signal: stop.signal,
      onReport(step) {
        screen.report(step)
        if (options.json) process.stdout.write(`${JSON.stringify(withoutRollouts(step))}\n`)
      },
      onWarning: (text) => screen.line(`warning: ${text}`),
      log: (text) => screen.line(text),
    })
    screen.stop()
    over()
    if (options.json) await writeLine(JSON.stringify({ digest, directory: options.run, report }))
    else {
      await writeLine(`report  ${shortestPath(report)}`)
      await writeLine(`digest  ${digest}`)
    }
  } catch (error) {
    screen.stop()
    if (!isInterruption(error)) throw withPlace(error, file)
    const again = ['npx whetstone train', quoted(name), '--run', quoted(options.run), '--resume']
    const { unfinished } = error
    const anew = unfinished === undefined ? '' : ` (${unfinished} was broken off and begins anew)`
    process.stderr.write(`stopped; this goes on from what the run has kept${anew}:\n  ${again.join(' ')}\n`)
    process.exitCode = INTERRUPTED
  } finally {
    over()
    stop.forget()
  }
}

/** As a shell reads it back. */
function quoted(word: string): string {
  return /^[\w./:@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function withoutRollouts<T extends { rollouts?: unknown }>({ rollouts: _, ...rest }: T): Omit<T, 'rollouts'> {
  return rest
}

/** Aborts on the first SIGINT or SIGTERM and ends the process on the second. */
function stopOnSignals(screen: StepsOnScreen): { signal: AbortSignal; forget(): void } {
  const controller = new AbortController()
  const onSignal = () => {
    if (controller.signal.aborted) {
      screen.stop()
      process.exit(INTERRUPTED)
    }
    screen.line(
      'stopping after this step, with a checkpoint, or in a measurement, which then begins anew on a resume; press Ctrl-C again to end at once',
    )
    controller.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    forget: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  }
}
