/** One call as it stands in a text: from its opening tag to after its closing one, or to the next call or the end where that is missing. */
export interface HermesCall {
  start: number
  end: number
  body: string
}

const OPEN = '<tool_call>'
const CLOSE = '</tool_call>'

/** The calls of a text, in order. A tag within a string of a call's JSON is that string's: an agent may well edit a file about tool calls. */
export function hermesCalls(text: string): HermesCall[] {
  const calls: HermesCall[] = []
  for (let start = text.indexOf(OPEN); start >= 0; ) {
    const from = start + OPEN.length
    // Where a string never ends the JSON is damaged, and its first tag is taken for what it looks like.
    const to = tagOutsideStrings(text, from) ?? firstTag(text, from) ?? text.length
    const end = text.startsWith(CLOSE, to) ? to + CLOSE.length : to
    calls.push({ start, end, body: text.slice(from, to).trim() })
    start = text.indexOf(OPEN, end)
  }
  return calls
}

function firstTag(text: string, from: number): number | undefined {
  const found = [OPEN, CLOSE].map((tag) => text.indexOf(tag, from)).filter((at) => at >= 0)
  return found.length > 0 ? Math.min(...found) : undefined
}

function tagOutsideStrings(text: string, from: number): number | undefined {
  let inString = false
  for (let at = from; at < text.length; at++) {
    const character = text[at]
    if (inString && character === '\\') at++
    else if (character === '"') inString = !inString
    else if (!inString && character === '<' && (text.startsWith(CLOSE, at) || text.startsWith(OPEN, at)))
      return at
  }
  return undefined
}
