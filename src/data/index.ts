export { type AnswerTarget, extractAnswer } from './answers/extract-answer.ts'
export {
  type JudgedReason,
  type Judgement,
  type JudgeOptions,
  judgeAnswer,
  judgeProgram,
  type TestingSandbox,
} from './answers/judge-answer.ts'
export { programOfCompletion, programOfMessage } from './answers/program.ts'
export { DataError } from './data-error.ts'
export { readDocuments } from './examples/read-documents.ts'
export { type MessagesExample, readMessages } from './examples/read-messages.ts'
export { type PreferencePair, readPreferencePairs } from './examples/read-preferences.ts'
export { readStepSolutions, type StepSolution } from './examples/read-step-solutions.ts'
export type { Split } from './generator/chain.ts'
export { type GenerateOptions, generateTasks } from './generator/generate-tasks.ts'
export { type JsonLine, readJsonLines, writeJsonLines } from './json-lines.ts'
export { type Random, seededRandom, seedOf } from './random.ts'
export { loadTasks, type TaskSet } from './tasks/load-tasks.ts'
export { readTasks, writeTasks } from './tasks/read-tasks.ts'
export type { Task } from './tasks/task.ts'
