import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** Where downloads are kept: `WHETSTONE_CACHE`, or `~/.cache/whetstone`. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.WHETSTONE_CACHE
    ? resolve(environment.WHETSTONE_CACHE)
    : join(homedir(), '.cache', 'whetstone')
}
