export { baseName, type RecordedBase, resolveBase } from './adapter-base.ts'
export { cacheDirectory } from './cache-directory.ts'
export type { OnProgress } from './progress.ts'
export { type ResolveOptions, resolveModel } from './resolve-model.ts'
