import type { RecordedCall } from './recorded-call.ts'
import type { CallRecord, TokenSegment, Trajectory } from './types.ts'

export type RecordedCalls = Pick<Trajectory, 'segments' | 'calls' | 'prefixBreaks' | 'truncated'>

interface GrowingSegment {
  last: RecordedCall
  temperature: number
  tokens: number[]
  mask: number[]
  logprobs: number[]
  versions: number[]
}

/**
 * Calls, each after its parent, as segments. A call goes on with its parent's segment where that ends with
 * the parent and was drawn at the same temperature; else it begins one of its own, in which all of its prompt
 * counts as not drawn. So every drawn token is drawn in exactly one segment.
 */
export function segmentCalls(calls: readonly RecordedCall[]): RecordedCalls {
  const segments: GrowingSegment[] = []
  const records = calls.map((call): CallRecord => {
    let index = segments.findIndex(
      ({ last, temperature }) => last === call.parent && temperature === call.temperature,
    )
    if (index < 0) index = segments.push(emptySegment(call)) - 1
    const segment = segments[index] as GrowingSegment
    append(segment, call.prompt.subarray(segment.tokens.length))
    append(segment, call.tokens, call)
    segment.last = call
    const { reasoning, content, toolCalls } = call.answer
    return {
      messages: call.messages.slice(call.parent ? call.parent.messages.length + 1 : 0),
      text: content,
      ...(reasoning !== undefined && { reasoning }),
      toolCalls: toolCalls ?? [],
      stopReason: call.stopReason,
      promptTokens: call.prompt.length,
      tokens: call.tokens.length,
      segment: index,
    }
  })
  return {
    segments: segments.map(finishSegment),
    calls: records,
    prefixBreaks: calls.filter(({ broken }) => broken).length,
    truncated: calls.some(({ stopReason }) => stopReason === 'length'),
  }
}

function emptySegment(call: RecordedCall): GrowingSegment {
  return { last: call, temperature: call.temperature, tokens: [], mask: [], logprobs: [], versions: [] }
}

function append(segment: GrowingSegment, tokens: Int32Array, drawn?: RecordedCall): void {
  for (const [index, token] of tokens.entries()) {
    segment.tokens.push(token)
    segment.mask.push(drawn ? 1 : 0)
    segment.logprobs.push(drawn?.logprobs[index] ?? 0)
    segment.versions.push(drawn?.version ?? -1)
  }
}

function finishSegment({ temperature, tokens, mask, logprobs, versions }: GrowingSegment): TokenSegment {
  return {
    tokens: Int32Array.from(tokens),
    mask: Uint8Array.from(mask),
    logprobs: Float32Array.from(logprobs),
    versions: Int32Array.from(versions),
    temperature,
  }
}
