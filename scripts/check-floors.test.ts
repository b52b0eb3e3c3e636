import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkFloors } from './check-floors.ts'

let source: string
const write = async (path: string, text: string) => {
  await mkdir(dirname(join(source, path)), { recursive: true })
  await writeFile(join(source, path), text)
}
beforeEach(async () => {
  source = await mkdtemp(join(tmpdir(), 'whetstone-floors-'))
})
afterEach(() => rm(source, { recursive: true }))

describe('the floors', () => {
  it('allow a room what lies below it, in it, and outside of src', async () => {
    await write(
      'losses/a.ts',
      "import type { Loss } from '../engine/contract.ts'\nimport './b.ts'\nimport 'zod'",
    )
    await write('losses/deep/c.ts', "import '../../text/index.ts'\nimport '../../../scripts/x.ts'")
    expect(checkFloors(source)).toEqual([])
  })

  it.each([
    ["import { x } from '../losses/index.ts'", 1],
    ["import type { X } from '../losses/index.ts'", 1],
    ["\nexport * from '../losses/index.ts'", 2],
    ["\n\nconst x = await import('../losses/index.ts')", 3],
    ["import '../losses/index.ts'", 1],
    ["type X = import('../losses/index.ts').X", 1],
    ["import {\n  x,\n} from '../losses/index.ts'", 3],
  ])('name the file and line of an import that goes up: %j', async (text, line) => {
    await write('engine/a.ts', text)
    expect(checkFloors(source)).toEqual([
      `${join(source, 'engine/a.ts')}:${line}: engine imports losses, which lies above it`,
    ])
  })

  it('refuse a room without a floor and a file outside of a room', async () => {
    await write('attic/a.ts', '')
    await write('loose.ts', '')
    expect(checkFloors(source).map((complaint) => complaint.replace(/^.*: (.*) has/, '$1 has'))).toEqual([
      expect.stringContaining('attic has no floor'),
      expect.stringContaining('src itself has no floor'),
    ])
  })
})
