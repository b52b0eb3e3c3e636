import { relative } from 'node:path'

/** A path as one would type it here: relative below the working directory, else as it is. */
export function shortestPath(path: string): string {
  const here = relative('', path)
  return here.startsWith('..') ? path : here
}
