#!/usr/bin/env node
import { doctorCommand } from './commands/doctor.ts'
import { pullCommand } from './commands/pull.ts'
import { createProgram, runProgram } from './program.ts'

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
await runProgram(createProgram([pullCommand(), doctorCommand()]), process.argv.slice(2))
