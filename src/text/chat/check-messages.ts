import {
  checkArray,
  checkObject,
  checkOptionalText,
  checkSwitch,
  checkText,
  shown,
} from '../check-arguments.ts'
import { TextError } from '../text-error.ts'
import type { ChatOptions } from './render-chat.ts'

const ROLES = ['system', 'user', 'assistant', 'tool']

/** Errors: what is no message, by its place and field. A template would print anything that it is given. */
export function checkMessages(messages: unknown): void {
  checkArray('messages', messages)
  for (let index = 0; index < messages.length; index++) checkMessage(`message ${index}`, messages[index])
}

function checkMessage(name: string, message: unknown): void {
  checkObject(name, message)
  const { role, content, reasoning, toolCalls, toolCallId } = message
  if (typeof role !== 'string' || !ROLES.includes(role))
    throw new TextError(`${name}: role is ${shown(role)}; it must be one of ${ROLES.join(', ')}`)
  if (typeof content !== 'string')
    throw new TextError(
      `${name}: content is ${shown(content)}; it must be text, '' where there is none and the parts joined where there are several`,
    )
  if (role === 'tool') checkText(`${name}: toolCallId`, toolCallId)
  if (role !== 'assistant') return
  checkOptionalText(`${name}: reasoning`, reasoning)
  if (toolCalls !== undefined) checkToolCalls(`${name}: toolCalls`, toolCalls)
}

/** Errors: what is no tool call, by its place and field. */
export function checkToolCalls(name: string, calls: unknown): void {
  checkArray(name, calls)
  for (let index = 0; index < calls.length; index++) {
    const call = calls[index]
    checkObject(`${name}[${index}]`, call)
    checkText(`${name}[${index}].name`, call.name)
    checkObject(`${name}[${index}].arguments`, call.arguments)
  }
}

/** Errors: an option of the wrong kind, a tool without a name or parameters. */
export function checkChatOptions(options: ChatOptions): void {
  checkObject('options', options)
  const { tools, addGenerationPrompt, templateOptions } = options as Record<string, unknown>
  checkSwitch('addGenerationPrompt', addGenerationPrompt)
  if (templateOptions !== undefined) checkObject('templateOptions', templateOptions)
  if (tools === undefined) return
  checkArray('tools', tools)
  for (let index = 0; index < tools.length; index++) {
    const tool = tools[index]
    checkObject(`tools[${index}]`, tool)
    checkText(`tools[${index}].name`, tool.name)
    checkOptionalText(`tools[${index}].description`, tool.description)
    checkObject(`tools[${index}].parameters`, tool.parameters)
  }
}
