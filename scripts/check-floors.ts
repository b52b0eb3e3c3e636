/**
 * Checks the floors of docs/design.md: a room of src/ may import any room below it and none above.
 *
 *   node scripts/check-floors.ts [DIR]        DIR holds the rooms; default: src
 *
 * Prints each import that goes up, and exits 1 where there is one.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'

/** Rooms from the ground up. */
export const floors: readonly string[] = [
  'native',
  'files',
  'text',
  'engine',
  'losses',
  'advantages',
  'rewards',
  'sandbox',
  'data',
  'rollouts',
  'agent',
  'trainers',
  'evals',
  'runs',
  'recipes',
  'cli',
]

/** A complaint for each import of a room above, each room that has no floor, and each file outside of a room. */
export function checkFloors(source: string): string[] {
  const complaints: string[] = []
  for (const file of typescriptFiles(source)) {
    const room = roomOf(source, file)
    const floor = floors.indexOf(room)
    if (floor < 0) {
      complaints.push(
        `${file}: ${room || 'src itself'} has no floor; put the file in a room, or the room into scripts/check-floors.ts`,
      )
      continue
    }
    for (const { specifier, line } of importsOf(readFileSync(file, 'utf8'))) {
      if (!specifier.startsWith('.')) continue
      const target = resolve(dirname(file), specifier)
      const targetRoom = roomOf(source, target)
      if (targetRoom === room || relative(source, target).startsWith('..')) continue
      if (floors.indexOf(targetRoom) > floor)
        complaints.push(`${file}:${line}: ${room} imports ${targetRoom}, which lies above it`)
    }
  }
  return complaints
}

function roomOf(source: string, file: string): string {
  const parts = relative(source, file).split(sep)
  return parts.length > 1 ? (parts[0] as string) : ''
}

function typescriptFiles(source: string): string[] {
  return readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** Static and dynamic imports, re-exports, and imports in types. */
function importsOf(text: string): { specifier: string; line: number }[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(['"])([^'"\n]+)\1/g
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[2] as string,
    line: text.slice(0, match.index).split('\n').length,
  }))
}

if (import.meta.main) {
  const complaints = checkFloors(resolve(process.argv[2] ?? 'src'))
  for (const complaint of complaints) console.error(complaint)
  if (complaints.length > 0) process.exit(1)
}
