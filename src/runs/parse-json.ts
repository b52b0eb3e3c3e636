import { RunError } from './run-error.ts'

/**
 * The value of JSON in a file of a run.
 *
 * @throws RunError naming the file and the line, counted from 1, where what it holds is no JSON
 */
export function parseJson<T>(text: string, path: string, line?: number): T {
  try {
    return JSON.parse(text) as T
  } catch (error) {
    const place = line === undefined ? path : `${path}:${line}`
    throw new RunError(
      `${place} is not the JSON that the run wrote (${(error as Error).message}). Bring the file back, or remove what is broken`,
    )
  }
}
