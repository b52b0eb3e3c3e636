/** Tokens of a phrase: shorter ones recur in any text. */
const phrase = 8

/**
 * How much tokens repeat themselves: the share of phrases of eight tokens that occurred before in the same text. 0 where there are fewer
 * than two phrases.
 */
export function repetition(tokens: readonly number[]): number {
  const seen = new Set<string>()
  const phrases = tokens.length - phrase + 1
  for (let start = 0; start < phrases; start++) seen.add(tokens.slice(start, start + phrase).join(' '))
  return phrases < 2 ? 0 : 1 - seen.size / phrases
}
