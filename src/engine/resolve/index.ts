export { cacheDirectory } from './cache-directory.ts'
export type { OnProgress, Progress } from './progress.ts'
export { ResolveError } from './resolve-error.ts'
export { type ResolveOptions, resolveModel } from './resolve-model.ts'
