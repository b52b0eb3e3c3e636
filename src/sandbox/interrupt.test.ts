import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sandboxReport } from './index.ts'

const present = (await sandboxReport()).filter((one) => one.name.startsWith('python-') && one.present)

/** Heeds Ctrl-C as a training run does: it goes on to the end of what it has in hand. */
const program = (python: string) => `
import { createSandbox } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
process.on('SIGINT', () => console.log('interrupted'))
const sandbox = await createSandbox({ workers: 1, python: '${python}' })
await sandbox.run({ language: 'python', source: 'pass' })
console.log('begins')
const source = 'import time\\nend = time.time() + 1\\nwhile time.time() < end: pass\\nprint("went on")'
const { stdout, stopped } = await sandbox.run({ language: 'python', source })
console.log(stdout + stopped)
await sandbox.close()`

describe.each(present)('Ctrl-C in a terminal, which reaches all processes of the group', ({ name }) => {
  it(`does not end a run in ${name}`, async () => {
    const child = spawn(
      process.execPath,
      ['--input-type=module-typescript', '-e', program(name.slice('python-'.length))],
      {
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    let output = ''
    let interrupted = false
    child.stdout.on('data', (text) => {
      output += text
      if (interrupted || !output.includes('begins')) return
      interrupted = true
      setTimeout(() => process.kill(-child.pid!, 'SIGINT'), 200)
    })
    await once(child, 'close')
    expect(output).toContain('interrupted')
    expect(output).toContain('went on\nok')
  })
})
