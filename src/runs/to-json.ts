/** Digits that name each float32 and no other. */
const FLOAT32_DIGITS = 9

/** One line of JSON; typed arrays become lists, those of float32 with the digits they need and no more. */
export function toJsonLine(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Float32Array)
      return Array.from(part, (number) => Number(number.toPrecision(FLOAT32_DIGITS)))
    if (ArrayBuffer.isView(part) && !(part instanceof DataView)) return Array.from(part as Uint8Array)
    return part
  })
}

/** The same numbers in the order of their names, so that a line does not depend on who put which in first. */
export function sortedByName(values: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)))
}
