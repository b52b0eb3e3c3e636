import type { z } from 'zod'
import { shown } from './rollout-error.ts'

/** The first thing wrong with options: the option, what is allowed and what came. */
export function describeIssue(error: z.ZodError, given: unknown): string {
  const issue = error.issues[0]!
  if (issue.path.length === 0) return issue.message
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], given)
  return `${issue.path.join('.')}: ${issue.message.replace(/, received .*$/, '')}, got ${shown(value)}`
}
