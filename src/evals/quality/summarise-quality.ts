import type { CodeQuality } from './measure-quality.ts'

/** Means over programs, and how many programs have each smell. */
export interface QualitySummary {
  programs: number
  /** Of the programs, those without syntax errors. */
  parsing: number
  codeLines: number
  commentLines: number
  /** Of each program's most complex, longest and most deeply nested function. */
  complexity: number
  functionLines: number
  nesting: number
  /** Share of names that follow the convention, over all programs together. */
  conventionalNames: number
  smellsPerProgram: number
  programsWithSmell: Record<string, number>
}

/** The summary of at least one program's quality. */
export function summariseQuality(programs: CodeQuality[]): QualitySummary {
  if (programs.length === 0) throw new RangeError('summariseQuality: there are no programs')
  const mean = (measure: (program: CodeQuality) => number) =>
    programs.reduce((sum, program) => sum + measure(program), 0) / programs.length
  const highest = (measure: 'complexity' | 'lines' | 'nesting') =>
    mean(({ functions }) =>
      Math.max(...(functions.length > 1 ? functions.slice(1) : functions).map((one) => one[measure])),
    )
  const names = programs.reduce((sum, program) => sum + program.names.count, 0)
  const unconventional = programs.reduce((sum, program) => sum + program.names.unconventional.length, 0)
  const smells = programs.flatMap((program) => [...new Set(program.smells.map(({ rule }) => rule))]).sort()
  return {
    programs: programs.length,
    parsing: programs.filter((program) => program.parses).length,
    codeLines: mean((program) => program.codeLines),
    commentLines: mean((program) => program.commentLines),
    complexity: highest('complexity'),
    functionLines: highest('lines'),
    nesting: highest('nesting'),
    conventionalNames: names === 0 ? 1 : 1 - unconventional / names,
    smellsPerProgram: mean((program) => program.smells.length),
    programsWithSmell: Object.fromEntries(
      [...new Set(smells)].map((rule) => [rule, smells.filter((other) => other === rule).length]),
    ),
  }
}
