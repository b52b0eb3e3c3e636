import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { errorText } from './error-text.ts'

const USAGE_ERROR = 2

/** The `whetstone` command with its subcommands. */
export function createProgram(commands: readonly Command[]): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const program = new Command('whetstone')
    .description('LLM post-training for TypeScript')
    .version(version)
    .addHelpText('after', '\nExit codes: 0 success, 1 failure, 2 wrong usage.')
  for (const command of commands) program.addCommand(command)
  for (const command of [program, ...commands])
    command.exitOverride().showHelpAfterError('(--help explains the options)')
  return program
}

/** Runs the program and sets the exit code; errors go to stderr as one message. */
export async function runProgram(program: Command, args: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    // Commander has already written its message.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR
    else {
      process.stderr.write(`whetstone: ${errorText(error)}\n`)
      process.exitCode = error instanceof Error && error.name === 'OptionsError' ? USAGE_ERROR : 1
    }
  }
}
