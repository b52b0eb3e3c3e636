import type { Operation } from '../operation.ts'

const letters = { choices: ['a', 'e', 'l', 'n', 'o', 'r', 's', 't'] } as const

/** Text to text, words, integers and counts. Text is ASCII, so case and order mean the same in both languages. */
export const textOperations: Operation[] = [
  {
    id: 'uppercase',
    from: 'text',
    to: 'text',
    javascript: 'V.toUpperCase()',
    python: 'V.upper()',
    phrases: ['convert the text to upper case', 'make every letter a capital'],
  },
  {
    id: 'lowercase',
    from: 'text',
    to: 'text',
    javascript: 'V.toLowerCase()',
    python: 'V.lower()',
    phrases: ['convert the text to lower case', 'make every capital letter small'],
  },
  {
    id: 'text-reverse',
    from: 'text',
    to: 'text',
    javascript: 'V.split("").reverse().join("")',
    python: 'V[::-1]',
    phrases: ['reverse the text', 'put the characters in the opposite order'],
  },
  {
    id: 'remove-vowels',
    from: 'text',
    to: 'text',
    javascript: 'V.replace(/[aeiou]/gi, "")',
    python: '"".join(c for c in V if c.lower() not in "aeiou")',
    phrases: [
      'remove the vowels (a, e, i, o, u in either case)',
      'delete every a, e, i, o and u, small or capital',
    ],
  },
  {
    id: 'keep-letters',
    from: 'text',
    to: 'text',
    javascript: 'V.replace(/[^A-Za-z]/g, "")',
    python: '"".join(c for c in V if c.isalpha())',
    phrases: [
      'keep only the letters',
      'remove every character that is not a letter from A to Z in either case',
    ],
  },
  {
    id: 'swap-case',
    from: 'text',
    to: 'text',
    javascript: 'V.replace(/[A-Za-z]/g, (c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()))',
    python: 'V.swapcase()',
    phrases: [
      'swap the case of each letter',
      'turn small letters into capitals and capitals into small letters',
    ],
  },
  {
    id: 'double-characters',
    from: 'text',
    to: 'text',
    javascript: 'V.split("").map((c) => c + c).join("")',
    python: '"".join(c * 2 for c in V)',
    phrases: ['write each character twice', 'double every character'],
  },
  {
    id: 'collapse-characters',
    from: 'text',
    to: 'text',
    javascript: 'V.replace(/(.)\\1+/g, "$1")',
    python: '"".join(c for i, c in enumerate(V) if i == 0 or c != V[i - 1])',
    phrases: [
      'collapse each run of equal characters into one',
      'drop every character that equals the one directly before it',
    ],
  },
  {
    id: 'sort-characters',
    from: 'text',
    to: 'text',
    javascript: 'V.split("").sort().join("")',
    python: '"".join(sorted(V))',
    phrases: [
      'sort the characters by their ASCII code',
      'put the characters in ascending order of character code',
    ],
  },
  {
    id: 'caesar',
    from: 'text',
    to: 'text',
    parameter: { low: 1, high: 13 },
    define: {
      javascript:
        'function caesar(text, shift) {\n  return text.replace(/[A-Za-z]/g, (c) => {\n    const base = c <= "Z" ? 65 : 97\n    return String.fromCharCode(((c.charCodeAt(0) - base + shift) % 26) + base)\n  })\n}',
      python:
        'def caesar(text, shift):\n    lower = "abcdefghijklmnopqrstuvwxyz"\n    moved = lower[shift:] + lower[:shift]\n    return text.translate(str.maketrans(lower + lower.upper(), moved + moved.upper()))',
    },
    javascript: 'caesar(V, P)',
    python: 'caesar(V, P)',
    phrases: [
      'shift each letter {p} places forward in the alphabet, wrapping from z to a and keeping its case; other characters stay',
      'apply a Caesar cipher with shift {p} to the letters, small and capital each within their own alphabet, and leave everything else',
    ],
  },
  {
    id: 'every-nth-character',
    from: 'text',
    to: 'text',
    parameter: { low: 2, high: 3 },
    javascript: 'V.split("").filter((_, i) => i % P === 0).join("")',
    python: 'V[::P]',
    phrases: [
      'keep every {p}-th character, beginning with the first',
      'keep the characters whose zero-based position is a multiple of {p}',
    ],
  },
  {
    id: 'rotate-text',
    from: 'text',
    to: 'text',
    parameter: { low: 1, high: 3 },
    javascript: 'V.split("").map((_, i) => V[(i + P) % V.length]).join("")',
    python: '"".join(V[(i + P) % len(V)] for i in range(len(V)))',
    phrases: [
      'rotate the text to the left by {p} characters',
      'move the character at the front to the end, {p} times over',
    ],
  },
  {
    id: 'remove-letter',
    from: 'text',
    to: 'text',
    parameter: letters,
    javascript: 'V.replaceAll(P, "")',
    python: 'V.replace(P, "")',
    phrases: ['remove each small letter {p}', 'delete every occurrence of the lower-case letter {p}'],
  },
  {
    id: 'run-lengths',
    from: 'text',
    to: 'text',
    define: {
      python:
        'def run_lengths(text):\n    encoded, start = "", 0\n    for i in range(1, len(text) + 1):\n        if i == len(text) or text[i] != text[start]:\n            encoded += text[start] + str(i - start)\n            start = i\n    return encoded',
    },
    javascript: 'V.replace(/(.)\\1*/g, (run) => run[0] + run.length)',
    python: 'run_lengths(V)',
    phrases: [
      "run-length encode the text: each run of equal characters becomes the character followed by the run's length (also when it is 1)",
      'replace every run of one repeated character by that character and the number of its repetitions, so that "aab" becomes "a2b1"',
    ],
  },
  {
    id: 'split-words',
    from: 'text',
    to: 'words',
    javascript: 'V.split(" ").filter((word) => word !== "")',
    python: 'V.split()',
    phrases: [
      'split the text into words at spaces (several spaces in a row count as one)',
      'take the list of words, which are separated by one or more spaces',
    ],
  },
  {
    id: 'chunks',
    from: 'text',
    to: 'words',
    parameter: { low: 2, high: 4 },
    javascript: 'Array.from({ length: Math.ceil(V.length / P) }, (_, i) => V.slice(i * P, i * P + P))',
    python: '[V[i:i + P] for i in range(0, len(V), P)]',
    phrases: [
      'cut the text into pieces of {p} characters, the last of which may be shorter',
      'split the text into consecutive chunks of length {p} (the last chunk takes what is left)',
    ],
  },
  {
    id: 'text-length',
    from: 'text',
    to: 'integer',
    javascript: 'V.length',
    python: 'len(V)',
    phrases: ['count the characters', 'determine the length of the text'],
  },
  {
    id: 'count-vowels',
    from: 'text',
    to: 'integer',
    javascript: '(V.match(/[aeiou]/gi) ?? []).length',
    python: 'sum(c in "aeiouAEIOU" for c in V)',
    phrases: [
      'count the vowels (a, e, i, o, u in either case)',
      'determine how many characters are one of a, e, i, o, u, small or capital',
    ],
  },
  {
    id: 'count-letter',
    from: 'text',
    to: 'integer',
    parameter: letters,
    javascript: 'V.split(P).length - 1',
    python: 'V.count(P)',
    phrases: [
      'count how often the small letter {p} occurs',
      'determine the number of occurrences of the lower-case letter {p}',
    ],
  },
  {
    id: 'distinct-characters',
    from: 'text',
    to: 'integer',
    javascript: 'new Set(V).size',
    python: 'len(set(V))',
    phrases: [
      'count the distinct characters (a and A are different)',
      'determine how many different characters occur, telling small letters from capitals',
    ],
  },
  {
    id: 'longest-run',
    from: 'text',
    to: 'integer',
    define: {
      python:
        'def longest_run(text):\n    best = length = 0\n    for i, c in enumerate(text):\n        length = length + 1 if i > 0 and c == text[i - 1] else 1\n        best = max(best, length)\n    return best',
    },
    javascript: 'Math.max(0, ...(V.match(/(.)\\1*/g) ?? []).map((run) => run.length))',
    python: 'longest_run(V)',
    phrases: [
      'find the length of the longest run of one repeated character (0 for an empty text)',
      'determine how often a character is repeated in a row at most, 0 when the text is empty',
    ],
  },
  {
    id: 'letter-values',
    from: 'text',
    to: 'integer',
    javascript:
      '[...V.toLowerCase()].reduce((sum, c) => (c >= "a" && c <= "z" ? sum + c.charCodeAt(0) - 96 : sum), 0)',
    python: 'sum(ord(c) - 96 for c in V.lower() if c.isalpha())',
    phrases: [
      'add up the values of the letters, where a or A is 1 and z or Z is 26; other characters count 0',
      'compute the sum of the alphabet positions (1 to 26) of all letters, ignoring case and everything that is no letter',
    ],
  },
  {
    id: 'character-counts',
    from: 'text',
    to: 'counts',
    define: {
      javascript:
        'function characterCounts(text) {\n  const counts = {}\n  for (const c of text) counts[c] = (counts[c] ?? 0) + 1\n  return counts\n}',
    },
    javascript: 'characterCounts(V)',
    python: '{c: V.count(c) for c in V}',
    phrases: [
      'count how often each character occurs, as a mapping from the character to its count',
      'build a mapping that gives for each character the number of its occurrences',
    ],
  },
]
