/** The URL of a module beside the caller's, `.ts` in the sources and `.js` once built. `name` has no extension. */
export function sibling(caller: string, name: string): URL {
  return new URL(`./${name}${caller.endsWith('.ts') ? '.ts' : '.js'}`, caller)
}
