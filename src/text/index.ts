export { type EncodeChatOptions, type EncodedChat, encodeChat, endTokens } from './chat/encode-chat.ts'
export type { ChatMessage, ToolCall, ToolDefinition } from './chat/messages.ts'
export { type ChatOptions, renderChat } from './chat/render-chat.ts'
export { templateProblem } from './chat/template-problem.ts'
export {
  type AssistantText,
  formatToolCalls,
  parseAssistantText,
  type ToolSyntax,
  toolSyntaxOf,
} from './chat/tool-syntax.ts'
export type { IncrementalDecoder } from './incremental-decoder.ts'
export {
  loadTokenizer,
  loadTokenizerFolder,
  saveTokenizerFolder,
  type TokenizerSource,
} from './load-tokenizer.ts'
export { missingTokenizer } from './missing-tokenizer.ts'
export { TextError } from './text-error.ts'
export type { DecodeOptions, EncodeOptions, Tokenizer } from './tokenizer.ts'
export { type TokenizerTraining, trainTokenizer } from './train-tokenizer.ts'
