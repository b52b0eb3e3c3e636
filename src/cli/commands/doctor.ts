import { Command } from 'commander'
import { diagnose, diagnosisText } from '../diagnosis.ts'
import { writeLine } from '../write-line.ts'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say what the engine uses of this machine, what is missing, and how to mend it')
    .option('--json', 'print it as one JSON object')
    .addHelpText('after', '\nExits 1 where no model can be loaded.')
    .action(async (options: { json?: true }) => {
      const diagnosis = await diagnose()
      await writeLine(options.json ? JSON.stringify(diagnosis, null, 2) : diagnosisText(diagnosis))
      if (diagnosis.cpu.path === undefined) process.exitCode = 1
    })
}
