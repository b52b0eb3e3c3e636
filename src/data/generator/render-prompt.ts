import type { Random } from '../random.ts'
import { type Chain, type OperationStep, resultType, type Step } from './chain.ts'
import type { Parameter, ParameterChoice, ValueType } from './operation.ts'
import { type GeneratedLanguage, type Names, renderValue } from './render-solution.ts'

const inputNames: Record<ValueType, readonly string[]> = {
  integers: ['numbers', 'values', 'items'],
  integer: ['n', 'number', 'value'],
  text: ['text', 'line', 'message'],
  words: ['words', 'names', 'tokens'],
  grid: ['grid', 'rows', 'cells'],
  counts: ['counts'],
}

const kinds: Record<ValueType, readonly [string, string]> = {
  integers: ['a list of integers', 'a list of whole numbers'],
  integer: ['an integer', 'a whole number'],
  text: ['a string of ASCII characters', 'a text (ASCII only)'],
  words: ['a list of strings', 'a list of words (strings)'],
  grid: [
    'a rectangular grid of integers (a non-empty list of non-empty rows)',
    'a non-empty list of equally long, non-empty lists of integers',
  ],
  counts: ['a mapping from strings to integers', 'a mapping from strings to whole numbers'],
}

/** Names for the function and its parameters. */
export function randomNames(random: Random, chain: Chain): Names {
  const isText = chain.argument !== undefined && 'choices' in chain.argument
  return {
    entryPoint: random.pick(['solve', 'transform', 'process', 'compute', 'convert', 'answer', 'work']),
    input: random.pick(inputNames[chain.from]),
    argument: random.pick(isText ? ['mark', 'symbol'] : ['k', 'amount', 'step']),
  }
}

/** An example call, as source, and what it returns. */
export interface ExampleCall {
  call: string
  expected: string
}

/** The task in natural language; wording and layout are drawn at random, the meaning is the chain's. */
export function renderPrompt(
  random: Random,
  chain: Chain,
  names: Names,
  language: GeneratedLanguage,
  examples: ExampleCall[],
): string {
  const phrases = chain.steps.map((step, i) => stepPhrase(random, step, names, i === 0))
  const languageName = language === 'python' ? 'Python' : 'JavaScript'
  const parameters = chain.argument === undefined ? names.input : `${names.input}, ${names.argument}`
  const signature = `\`${names.entryPoint}(${parameters})\``
  const inputs = `\`${names.input}\` is ${random.pick(kinds[chain.from])}${argumentPhrase(chain.argument, names)}`
  const body = random.pick([numbered, inSequence, asSentences])(phrases)
  const opening = random.pick([
    `Write a ${languageName} function ${signature}, where ${inputs}.`,
    `Implement ${signature} in ${languageName}. Here ${inputs}.`,
    `In ${languageName}, define a function ${signature}; ${inputs}.`,
  ])
  const task = `${opening} ${body}${resultPhrase(chain, language)}`
  return examples.length === 0 ? task : `${task}\n\n${exampleLines(random, examples)}`
}

function stepPhrase(random: Random, step: Step, names: Names, isFirst: boolean): string {
  if (step.kind === 'operation') return operationPhrase(random, step, names)
  const question = fill(random.pick(step.condition.phrases), step.parameter, names)
  const condition = isFirst
    ? question.replace(/ then | at this point/, (words) => (words === ' then ' ? ' ' : ''))
    : question
  return `if ${condition}, ${operationPhrase(random, step.then, names)}; otherwise, ${operationPhrase(random, step.otherwise, names)}`
}

function operationPhrase(random: Random, step: OperationStep, names: Names): string {
  return fill(random.pick(step.operation.phrases), step.parameter, names)
}

const ordinals: Record<string, string> = { '2': '2nd', '3': '3rd', '4': '4th' }

function fill(phrase: string, parameter: Parameter | undefined, names: Names): string {
  if (parameter === undefined) return phrase
  const text = parameter === 'argument' ? `\`${names.argument}\`` : renderValue(parameter)
  return phrase.replaceAll('{p}-th', ordinals[text] ?? `${text}-th`).replaceAll('{p}', text)
}

function argumentPhrase(choice: ParameterChoice | undefined, names: Names): string {
  if (choice === undefined) return ''
  return 'choices' in choice
    ? ` and \`${names.argument}\` a string of one character`
    : ` and \`${names.argument}\` an integer from ${choice.low} to ${choice.high}`
}

function numbered(phrases: string[]): string {
  if (phrases.length === 1) return `It must ${phrases[0]} and return the result.`
  const lines = phrases.map((phrase, i) => `${i + 1}. ${sentence(phrase)}`)
  return `It does the following, each step on the result of the one before, and returns the last result:\n${lines.join('\n')}`
}

function inSequence(phrases: string[]): string {
  if (phrases.length === 1) return `The function should ${phrases[0]}, and return what it gets.`
  const [first, ...rest] = phrases
  const links = rest.map((phrase, i) => `${i === rest.length - 1 ? 'finally' : 'then'}, ${phrase}`)
  return `First, ${first}; ${links.join('; ')}. Return what you get in the end.`
}

function asSentences(phrases: string[]): string {
  return `${phrases.map((phrase, i) => (i === 0 ? sentence(phrase) : `After that, ${phrase}.`)).join(' ')} The outcome is the return value.`
}

function sentence(phrase: string): string {
  return `${phrase.slice(0, 1).toUpperCase()}${phrase.slice(1)}.`
}

function resultPhrase(chain: Chain, language: GeneratedLanguage): string {
  if (resultType(chain) !== 'counts') return ''
  return language === 'python' ? '\nThe mapping is a dict.' : '\nThe mapping is a plain object.'
}

function exampleLines(random: Random, examples: ExampleCall[]): string {
  const style = random.pick(['returns', 'gives', '→'])
  return `Examples:\n${examples.map(({ call, expected }) => `${call} ${style} ${expected}`).join('\n')}`
}
