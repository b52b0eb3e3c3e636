/** A call of a tool that the model asked for. */
export interface ToolCall {
  /** Names the call within its conversation. */
  id: string
  name: string
  arguments: Record<string, unknown>
}

/** A tool offered to the model. */
export interface ToolDefinition {
  name: string
  description?: string
  /** JSON Schema of the arguments. */
  parameters: Record<string, unknown>
}

export type ChatMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; reasoning?: string; toolCalls?: ToolCall[] }
  | { role: 'tool'; content: string; toolCallId: string; name?: string }
