import { Template } from '@huggingface/jinja'
import { messageOf, TextError } from '../text-error.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { checkChatOptions, checkMessages } from './check-messages.ts'
import type { ChatMessage, ToolDefinition } from './messages.ts'
import { formatToolCalls, toolPrompt, toolSyntaxOf } from './tool-syntax.ts'

export interface ChatOptions {
  tools?: readonly ToolDefinition[]
  /** End with the header after which the model writes its answer. Default false. */
  addGenerationPrompt?: boolean
  /** Further variables of the template, such as `enable_thinking`. A template that asks for the day (Llama 3's does) is told it: give
   *  `date_string` for prompts that are the same on every day. */
  templateOptions?: Record<string, unknown>
}

/**
 * Renders messages by the tokenizer's chat template. Where the template knows no tools, they are described in the system message
 * and calls and results written in Hermes tags; where it knows no reasoning, it stands in `<think>` before the content.
 * Errors: no template, a template that does not parse or refuses the messages.
 */
export function renderChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): string {
  checkMessages(messages)
  checkChatOptions(options)
  const source = tokenizer.chatTemplate
  if (source === undefined)
    throw new TextError('the tokenizer has no chat template; load one that has, or give a `chatTemplate`')
  const knowsTools = /\btools\b/.test(source)
  const tools = options.tools ?? []
  const prepared = messages.map((message) => withReasoning(message, source))
  const variables = {
    ...options.templateOptions,
    messages: knowsTools ? prepared.map(templateMessage) : withoutTools(prepared, tools, source),
    add_generation_prompt: options.addGenerationPrompt ?? false,
    bos_token: tokenizer.bosToken ?? '',
    eos_token: tokenizer.eosToken ?? '',
    ...(knowsTools &&
      tools.length > 0 && { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
  }
  const template = parsed(source)
  try {
    return template.render(variables)
  } catch (error) {
    throw new TextError(`the chat template refuses these messages: ${messageOf(error)}`)
  }
}

let latest: { source: string; template: Template } | undefined

/** Rendering parses nothing twice in the usual case of one template. */
function parsed(source: string): Template {
  if (latest?.source !== source) {
    try {
      latest = { source, template: new Template(source) }
    } catch (error) {
      throw new TextError(`the chat template does not parse: ${messageOf(error)}`)
    }
  }
  return latest.template
}

function withReasoning(message: ChatMessage, source: string): ChatMessage {
  if (message.role !== 'assistant' || message.reasoning === undefined) return message
  if (source.includes('reasoning_content')) return message
  const { reasoning, ...rest } = message
  // A call stands on a line of its own, so that after thinking alone one break is enough.
  const gap = rest.content === '' && rest.toolCalls?.length ? '\n' : '\n\n'
  return { ...rest, content: `<think>\n${reasoning}\n</think>${gap}${rest.content}` }
}

function templateMessage(message: ChatMessage): Record<string, unknown> {
  if (message.role === 'tool')
    return {
      role: 'tool',
      content: message.content,
      tool_call_id: message.toolCallId,
      name: message.name ?? '',
    }
  if (message.role !== 'assistant') return { role: message.role, content: message.content }
  return {
    role: 'assistant',
    content: message.content,
    ...(message.reasoning !== undefined && { reasoning_content: message.reasoning }),
    ...(message.toolCalls?.length && {
      tool_calls: message.toolCalls.map(({ id, name, arguments: given }) => ({
        id,
        type: 'function',
        function: { name, arguments: given },
      })),
    }),
  }
}

function withoutTools(messages: readonly ChatMessage[], tools: readonly ToolDefinition[], source: string) {
  const plain: { role: string; content: string; reasoning_content?: string; ofTools?: boolean }[] = []
  for (const message of messages) {
    const previous = plain.at(-1)
    if (message.role === 'tool') {
      const content = `<tool_response>\n${message.content}\n</tool_response>`
      // Results of parallel calls share a turn, since templates want roles to alternate.
      if (previous?.ofTools) previous.content += `\n${content}`
      else plain.push({ role: 'user', content, ofTools: true })
    } else if (message.role === 'assistant') {
      const calls = formatToolCalls(message.toolCalls ?? [], toolSyntaxOf(source))
      const content = [message.content, calls].filter((part) => part !== '').join('\n')
      const { reasoning } = message
      plain.push({
        role: 'assistant',
        content,
        ...(reasoning !== undefined && { reasoning_content: reasoning }),
      })
    } else plain.push({ role: message.role, content: message.content })
  }
  if (tools.length > 0) {
    const first = plain[0]
    if (first?.role === 'system') first.content += `\n\n${toolPrompt(tools)}`
    else plain.unshift({ role: 'system', content: toolPrompt(tools) })
  }
  return plain.map(({ ofTools, ...message }) => message)
}
